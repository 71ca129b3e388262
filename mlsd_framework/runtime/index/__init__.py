"""Indexes of vectors: the nearest items of queries, exactly or to a declared recall, under writes and exchanges."""
