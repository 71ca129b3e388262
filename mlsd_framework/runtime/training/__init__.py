"""Splits, imbalance, calibration, metrics, thresholds, gates, reports."""
