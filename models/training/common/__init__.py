"""What every training run needs: a device, a session, augmented sound."""
