"""The HTTP floor: takes uploads in, tells where jobs stand, streams videos out."""
