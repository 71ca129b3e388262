"""Built-in kinds of source."""
