"""What several benchmarks share: a project made from a spec, and the times of whole processes."""
