"""`lineside reference`: master data in files, and what is known."""
