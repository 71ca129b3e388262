"""YAML with places: one strict pydantic file a section."""
