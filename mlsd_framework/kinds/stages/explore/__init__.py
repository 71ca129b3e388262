"""`explore`: shows now and then what is not yet known."""
