"""What rankings of many requests are worth: relevance, what lies beyond it, each stage of a funnel, other policies."""
