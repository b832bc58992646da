"""What reference records have made known on a partition, and what is done with it."""
