"""What a spec means: frozen dataclasses, one file a section."""
