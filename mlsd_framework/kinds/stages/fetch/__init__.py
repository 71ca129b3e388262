"""`fetch`: reads feature groups from the online store."""
