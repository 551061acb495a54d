"""The face as geometry: landmarks, crops, and one face's motion fitted to another's."""
