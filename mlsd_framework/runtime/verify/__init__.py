"""The proof of a system: one meaning in every home, nothing from the future, every case exercised."""
