"""The process that keeps the items of the version that serves in step with the tables that list them."""
