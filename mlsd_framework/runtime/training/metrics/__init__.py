"""Metrics of a trained model: what each needs, how it is computed, slices and intervals."""
