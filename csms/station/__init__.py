"""What is true: the model of a station and the facts that change it (pure)."""
