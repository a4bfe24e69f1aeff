"""People and programs ask: the HTTP API."""
