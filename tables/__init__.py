"""Nouns that stay: the ledger, windows, episodes and lines that one input partition remembers."""
