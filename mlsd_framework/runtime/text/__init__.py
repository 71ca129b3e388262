"""Texts as vectors: what items are in words, and models that embed it."""
