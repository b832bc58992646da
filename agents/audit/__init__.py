"""`lineside audit`: compares the output topics with what follows from the input topics."""
