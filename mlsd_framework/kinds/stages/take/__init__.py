"""`take`: keeps the first candidates."""
