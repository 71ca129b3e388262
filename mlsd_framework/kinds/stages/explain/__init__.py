"""`explain`: says why."""
