"""Deep rankers: networks that score the candidates of a request; torch only trains them."""
