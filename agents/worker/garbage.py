"""How often Python looks for garbage: seldom, since nearly all of a job's objects are no cycles."""

import gc
from typing import Final

ALLOCATIONS: Final = 400_000
"""Between two collections: a few batches' worth, so that most are gone by then. The default of 700
costs a tenth of the time."""

ALLOCATIONS_OF_A_LOG: Final = 50_000
"""Of a command that goes through a whole log, and whose memory is to stay small beside it."""


def collect_seldom(allocations: int = ALLOCATIONS) -> None:
    """Leave what is there alone from now on, and look at the rest after so many allocations."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(allocations, 50, 50)
