"""The stream target: what keeps live features up to date."""
