"""Nouns that flow: events, transactions, summaries, rejections, and the topics that carry them."""
