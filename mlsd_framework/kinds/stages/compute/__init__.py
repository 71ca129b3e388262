"""`compute`: computes a request group."""
