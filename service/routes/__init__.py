"""The routes, one file for each thing a caller can ask about."""
