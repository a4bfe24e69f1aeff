"""A central system for EV charging sites over OCPP 1.6J."""

__version__ = "0.1.0"
