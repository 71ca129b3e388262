"""The Spark target: training columns, stored groups and streams on a cluster."""
