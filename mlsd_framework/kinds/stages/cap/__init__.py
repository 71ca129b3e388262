"""`cap`: keeps the first candidates from being mostly of one sort."""
