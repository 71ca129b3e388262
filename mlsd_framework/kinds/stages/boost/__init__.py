"""`boost`: raises or lowers the scores of some candidates."""
