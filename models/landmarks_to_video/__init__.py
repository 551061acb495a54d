"""Stage two: a portrait and landmarks to video frames."""
