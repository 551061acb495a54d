"""Common parts of all training runs: device, session, augmentation."""
