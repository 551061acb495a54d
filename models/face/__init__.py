"""Face geometry: landmarks, crops, and retargeting motion from one face to another."""
