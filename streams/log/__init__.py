"""What a log is, whoever keeps it: records, batches of them, headers, writers."""
