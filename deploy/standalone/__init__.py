"""The whole system on one machine: its programs, how they start, how they end."""
