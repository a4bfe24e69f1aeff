"""How well demand is estimated, on a stream of simulated vehicles."""
