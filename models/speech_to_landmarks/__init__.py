"""Stage one: speech to the motion of emotional landmarks."""
