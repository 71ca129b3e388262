"""`decide`: chooses an action."""
