"""Training of the networks: datasets, losses, and one command per network."""
