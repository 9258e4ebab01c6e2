"""Which channels belong together, which of them matter, and how they are removed."""
