"""How the networks are trained: datasets, losses, and one command a network."""
