"""`kind: simulated`: rows that a seeded process makes, said so wherever they are shown."""
