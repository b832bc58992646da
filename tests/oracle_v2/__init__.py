"""Contract v2, once more, slowly: what lineside's output is held against.

Every rule of the contract stands in one place, with the number of its section. Nothing is imported
but the standard library. Times are whole microseconds since the Unix epoch, measures whole billionths:
nothing is ever rounded. What can be recomputed is recomputed.

    python -m tests.oracle_v2 LOG.ndjson --out DIR [--partitions N] [--close]

`values` to `reading` say what a record says, `checks` whether it counts, `windows` to `states` what it
changes, `postings` what leaves, `partition` in which order, `replay` how a file is read.
"""

from .replay import replay

__all__ = ["replay"]
