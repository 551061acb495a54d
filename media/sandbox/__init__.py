"""Decoding of untrusted pictures and recordings in sandboxed processes."""
