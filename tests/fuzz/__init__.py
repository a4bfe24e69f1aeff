"""Frames nobody should send, as many as asked for: `python -m tests.fuzz --help`."""
