"""Bytes to what the contract says, and lines of log files."""
