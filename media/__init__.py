"""Media files, without torch: sound, pictures, video, and their provenance."""
