"""The desk's books: what went in, what became of it and what left, in SQL."""
