"""Decimals and times: exact, spelt one way, and imported by everything."""
