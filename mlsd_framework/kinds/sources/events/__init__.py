"""`kind: events`: rows that happened at a moment, in files."""
