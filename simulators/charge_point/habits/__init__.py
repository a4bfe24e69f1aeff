"""Small habits of real charge points, each a switch of its own; `catalogue` has them all."""
