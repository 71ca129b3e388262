"""`spread`: keeps candidates of one sort apart."""
