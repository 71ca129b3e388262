"""Local processes: the supervisor, the store, deployments."""
