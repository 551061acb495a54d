"""The standalone system: all programs on one machine, their start and their end."""
