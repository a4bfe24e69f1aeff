"""Ways to share a capped tree out among its leaves."""
