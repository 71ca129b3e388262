"""The homes of stored features, each asked the same questions."""
