"""`freshen`: lowers the scores of candidates as they age."""
