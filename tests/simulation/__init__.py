"""The whole system in virtual time, with seeded faults, and a checker that knows the physics."""
