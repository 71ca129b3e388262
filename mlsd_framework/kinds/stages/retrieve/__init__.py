"""`retrieve`: asks sources of candidates and merges what they find."""
