"""Graph features for mlsd: entities that share the values of attributes, snapshotted as they were known."""

__version__ = "0.1.0"
