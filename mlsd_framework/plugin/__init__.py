"""The extension points: all that a plugin author imports."""
