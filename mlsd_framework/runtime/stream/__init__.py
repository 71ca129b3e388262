"""The stream updater: events from a stream into the live states that the service reads, each exactly once."""
