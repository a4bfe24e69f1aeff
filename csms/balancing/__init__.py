"""What should be: demand, budget and fair allocation (pure)."""
