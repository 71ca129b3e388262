"""`rules`: checks named expressions."""
