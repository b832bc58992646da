"""One input partition: its lines over a store, step by step, with its offset in the state."""
