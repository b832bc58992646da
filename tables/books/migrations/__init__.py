"""The steps from one schema of the books to the next, in the order of their numbers."""
