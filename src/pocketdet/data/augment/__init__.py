"""Training augmentation: pictures and boxes moved together."""
