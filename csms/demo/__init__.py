"""The show: a running csms, a simulated site that connects to it, and a live view of both."""
