"""Checks and rewrites of the ir: one pass a file, in the order of `PASSES`."""
