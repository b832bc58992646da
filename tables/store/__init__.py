"""Stores of keys and values: in memory, in RocksDB, as an overlay, and in changelogs."""
