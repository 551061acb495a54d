"""Training of the network that detects whether something covers a face's mouth or eyes."""
