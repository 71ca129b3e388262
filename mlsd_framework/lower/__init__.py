"""From spec to ir: names are resolved here."""
