"""Sources: fetching, reading, checking, simulating."""
