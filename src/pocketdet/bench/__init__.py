"""How fast detectors run here, beside what this CPU could do."""
