"""`diversify`: chooses the first candidates to be relevant and unlike each other."""
