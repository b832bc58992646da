"""Nouns that stay: the ledger, windows, episodes and lines that one input partition remembers."""

import streams  # its finder takes what is compiled  # noqa: F401
