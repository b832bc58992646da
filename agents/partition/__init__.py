"""The task of one input partition: opening, steps, writes, and what is measured of them."""
