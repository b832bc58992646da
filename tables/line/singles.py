"""Counts what leaves a line singly, for the law: accepted = left + waiting + parked + taken out.

Counted are the record types that rules can let go at once or by window: of a type that never goes
by window nothing waits, is parked or is taken out.
"""

from typing import Final

from streams.codec import scanning
from streams.values import sums
from tables.line import adding
from tables.line.line import SIDES, Line
from tables.line.plans import AtOnce, Plan

ACCEPTED: Final = 0
LEFT: Final = 1
PARKED: Final = 2
TAKEN_OUT: Final = 3

_SIDES = SIDES


def count_event(
    line: Line, plan: Plan, event: scanning.Event, whole: bool, side: int, amount: int
) -> None:
    """Count an event under each record type as which it leaves singly.

    `whole`: it does so as all of them, though others like it go by window.
    """
    for record in plan.at_once:
        if record.number >= 0 and adding.applies(record.where, event):
            count(line, record, side, amount)
    if whole:
        for record in plan.by_window:
            if record.number >= 0 and adding.applies(record.where, event):
                count(line, record, side, amount)


def count(line: Line, record: AtOnce, side: int, amount: int) -> None:
    """Count something of a record type that is counted: one with a `number`."""
    sums.add_to(line.singles, _SIDES * record.number + side, amount)
