"""Training of the network that sees whether something is before a face's mouth or eyes."""
