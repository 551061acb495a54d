"""Clips of talking faces in a data folder."""
