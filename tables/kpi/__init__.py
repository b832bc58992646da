"""Key figures by ISO 22400-2, and the calendar of shifts that they go by: pure functions."""
