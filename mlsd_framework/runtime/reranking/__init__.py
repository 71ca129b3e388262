"""Re-ranking: what is done to ordered candidates before they are shown: filters, boosts, caps, diversity, exploring."""
