"""`score`: asks a model."""
