"""`kind: catboost.classifier`: gradient-boosted trees that predict a probability."""
