"""AMIGO's two stages as plain PyTorch: speech to emotional landmarks, landmarks to video frames."""
