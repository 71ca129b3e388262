"""BentoML: the decision service."""
