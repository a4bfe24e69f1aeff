"""Simulated chargers, vehicles and sites. They meet csms on the wire only."""
