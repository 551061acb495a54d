"""The supported corpora in their published form."""
