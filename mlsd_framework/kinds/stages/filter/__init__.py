"""`filter`: keeps the candidates for which conditions hold."""
