"""Which rules hold, whether a file of rules is right, and what becomes of an event by them."""
