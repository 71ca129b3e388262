"""The indexer: the process that keeps indexes in step with the tables that list their items."""
