"""Clips of talking faces as they lie in a data folder."""
