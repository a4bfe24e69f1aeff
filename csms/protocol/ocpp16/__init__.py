"""OCPP 1.6 messages: one handler each, one route table."""
