"""A central system for EV charging sites over OCPP 1.6J."""
