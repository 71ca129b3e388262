"""Printing diagnostics: for people, for one line each, as JSON, as SARIF."""
