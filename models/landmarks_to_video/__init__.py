"""Stage two: a portrait and its landmarks to video frames."""
