"""The loop: the only place that decides, and the only one that reads the clock."""
