"""Keys and values: in memory, in RocksDB, laid over one another, and in changelogs."""
