"""Five small networks to put faults into, each with its loss, its data and its way back."""
