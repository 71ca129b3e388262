"""The HTML report of a training run: one file that opens without a network."""
