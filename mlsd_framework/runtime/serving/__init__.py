"""The decision service: requests, scoring, explanations, limits, health."""
