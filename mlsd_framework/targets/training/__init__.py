"""Training: declarations, the training set, one script a model, the evaluation."""
