"""`expose`: gives groups of candidates their share of what is seen."""
