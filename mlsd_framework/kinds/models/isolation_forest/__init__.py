"""`kind: isolation_forest`: how unlike the training examples a row is."""
