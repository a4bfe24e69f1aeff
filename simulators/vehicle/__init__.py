"""A simulated electric vehicle and its battery."""
