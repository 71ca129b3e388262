"""Retrieval: candidates for requests, from several sources, over a catalogue of items."""
