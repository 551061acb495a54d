"""Converts published corpora to the clips and landmarks that training reads."""
