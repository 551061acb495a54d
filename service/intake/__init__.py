"""How a job comes in: its request is received, read, checked and submitted."""
