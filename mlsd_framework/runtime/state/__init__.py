"""The state of live features: what is kept of a key's events, written as bytes, and finished at any moment."""
