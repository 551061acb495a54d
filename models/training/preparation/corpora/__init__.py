"""The corpora that can be prepared, as they are published."""
