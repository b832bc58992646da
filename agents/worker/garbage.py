"""How often Python looks for garbage: seldom, since nearly no object of a job is in a cycle."""

import gc
from typing import Final

ALLOCATIONS: Final = 400_000
"""Allocations between two collections: those of a few batches, most of which are freed by then. The
default of 700 costs a tenth of the time."""

ALLOCATIONS_OF_A_LOG: Final = 50_000
"""The same for a command that reads a whole log, and should take little memory."""


def collect_seldom(allocations: int = ALLOCATIONS) -> None:
    """Never look at present objects again, and at new ones after this many allocations."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(allocations, 50, 50)
