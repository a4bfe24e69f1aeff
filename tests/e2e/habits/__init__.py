"""Small habits of real chargers against the whole of csms, one row of the README at a time."""
