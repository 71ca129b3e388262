"""Feature values: expressions, windows, the online store."""
