"""Mouths that open, close and show teeth: lips moved, the inside drawn."""
