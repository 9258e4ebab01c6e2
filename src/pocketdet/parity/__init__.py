"""Whether two detectors, or a detector and its exported file, are the same, and if not, where."""
