"""`fallback`: answers when a stage cannot."""
