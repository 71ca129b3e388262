"""The built-in kinds of models that find candidates, one module each."""
