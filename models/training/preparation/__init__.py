"""Corpora as they are published, made into the clips and landmarks that training reads."""
