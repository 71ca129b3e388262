"""Two-tower retrieval: users and items as vectors whose nearness says what a user takes next; torch only trains it."""
