"""`kind: linear.ranker`: weights of columns that order candidates."""
