"""How to get there safely: the ledger of limits and the lower-first planner (pure)."""
