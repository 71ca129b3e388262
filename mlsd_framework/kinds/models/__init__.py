"""Built-in kinds of model."""
