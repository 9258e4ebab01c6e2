"""One file a runtime; each imports its runtime only when a file is opened."""
