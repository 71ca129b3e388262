"""The Spark home of features: what runs on one machine, run on a cluster by hash buckets of the entity's key."""
