"""`kind: catboost.ranker`: gradient-boosted trees that order candidates."""
