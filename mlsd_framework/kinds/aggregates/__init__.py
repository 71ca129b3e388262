"""Built-in aggregates."""
