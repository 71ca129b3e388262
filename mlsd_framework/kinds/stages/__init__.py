"""Built-in stages of a serving pipeline."""
