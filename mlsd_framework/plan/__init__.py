"""What a change costs, told before it happens, and done in the same steps."""
