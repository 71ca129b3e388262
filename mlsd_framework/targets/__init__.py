"""One folder a target: ir to files."""
