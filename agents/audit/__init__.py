"""`lineside audit`: what has left, held against what follows from the input topics."""
