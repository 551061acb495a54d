"""The faces in a picture: their landmarks, which one is animated, and its crop."""
