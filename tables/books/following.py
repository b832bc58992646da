"""How far transactions are read: no further than the inputs that led to them are in the books.

So what the books say has left was accepted before, at any moment: accepted = left + not left, with
nothing below 0. A transaction leaves before the job says how far it is, so what lies on its topic
at some moment is taken up once the books have the inputs up to where the job was a while later.
"""

from collections.abc import Mapping
from typing import Final

from streams.contract.topics import ERP_TRANSACTIONS, INPUTS
from streams.log.record import TP

RELEASE_SECONDS_MAX: Final = 60.0
"""Inputs that aren't read on, since their topic was made anew or another desk is away, hold
transactions up for no longer."""


class Following:
    """Which ends of `erp.transactions.v1` are taken up; times are seconds of any clock."""

    def __init__(self, settle_seconds: float) -> None:
        """Take how long after a transaction the job has said, at the latest, how far it is."""
        self._settle = settle_seconds
        self._ends: Mapping[TP, int] = {}
        """The ends that were seen at a moment, `_seen_at`."""
        self._seen_at = 0.0
        self._goal: Mapping[TP, int] | None = None
        """How far the job was in the inputs once that moment had settled."""
        self._released: dict[TP, int] = {}

    def ends(
        self,
        now: float,
        ends: Mapping[TP, int],
        processed: Mapping[TP, int],
        positions: Mapping[TP, int],
    ) -> Mapping[TP, int]:
        """Return how far each partition of transactions may be read.

        `ends` are those of the topic now, `processed` how far the job is, `positions` the books.
        """
        late = now - self._seen_at
        if self._ends and self._goal is None and late >= self._settle:
            self._goal = {at: offset for at, offset in processed.items() if at[0] in INPUTS}
        if self._goal is not None and (
            late >= RELEASE_SECONDS_MAX
            or all(positions.get(at, 0) >= offset for at, offset in self._goal.items())
        ):
            self._released.update(self._ends)
            self._ends, self._goal = {}, None
        if not self._ends:
            self._ends = {at: end for at, end in ends.items() if at[0] == ERP_TRANSACTIONS}
            self._seen_at = now
        return self._released
