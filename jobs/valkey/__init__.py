"""Valkey: the records, and everything counted or remembered there."""
