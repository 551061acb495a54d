"""AMIGO's two stages as plain PyTorch: speech to emotional landmarks, landmarks to video frames."""

import os

# OpenMP's idle threads spin by default: beside other busy processes that makes small layers fifty
# times slower. It reads this once, when torch is first imported.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
