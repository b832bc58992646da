"""Points of machine states: their codes, and late ones that windows are to be told of."""

from __future__ import annotations

from typing import Final, NamedTuple

STATES: Final = (
    "Stopped", "Starting", "Idle", "Suspended", "Execute", "Stopping", "Aborting", "Aborted",
    "Holding", "Held", "Unholding", "Suspending", "Unsuspending", "Resetting", "Completing",
    "Complete", "Clearing",
)  # fmt: skip
"""By their codes, in memory and in stores: a new state goes to the end."""

CODES: Final = {name: code for code, name in enumerate(STATES)}

NEW: Final = 255
"""In place of a code: closed windows haven't been told of the point."""

Point = tuple[int, int]
"""(time, code of the state)"""


class Late(NamedTuple):
    """Points one after the other that closed windows haven't been told of as they are now."""

    before: Point | None
    """The point before them."""
    points: list[tuple[int, int, int]]
    """(time, code that windows were told or `NEW`, code)"""
    following: int
    """The time of the next point that windows were told of."""
