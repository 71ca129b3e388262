"""`kind: deep.ranker`: a neural network that orders candidates."""
