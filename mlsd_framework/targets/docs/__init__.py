"""The design of the system, for people."""
