"""The Jinja environment, the typed emitters and the writer of artefacts."""
