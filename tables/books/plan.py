"""What is to be read next of each partition, by how far the books, the job and the topics are."""

from collections.abc import Collection, Mapping
from typing import Final

from msgspec import Struct, field

from streams.contract.topics import ERP_MASTER, ERP_TRANSACTIONS, EXCEPTIONS, INPUTS
from streams.log.books import Bounds
from streams.log.record import TP
from tables.books.positions import Known

ROUND_RECORDS_MAX: Final = 50_000
"""Of a partition in one round: so that what is far behind doesn't hold up all else."""

JUDGED: Final = frozenset((*INPUTS, ERP_MASTER))
"""Topics whose records are read once it is known what became of them."""


class Plan(Struct):
    """What is to be read."""

    starts: dict[TP, int] = field(default_factory=dict)
    ends: dict[TP, int] = field(default_factory=dict)
    """In this round."""
    known: dict[TP, Known] = field(default_factory=dict)
    """How far the job is with each, and where it ends."""
    stopped: dict[TP, str] = field(default_factory=dict)
    """Partitions that can't be read on, and why."""
    missed: dict[TP, int] = field(default_factory=dict)
    """Records that were deleted before the books had them."""
    needs: dict[TP, int] = field(default_factory=dict)
    """How far the books have to be in exceptions, before they take inputs."""

    def of(self, *, refusals: bool, judged: bool) -> dict[TP, int]:
        """Return the ends of exceptions, or of what else there is, with inputs or without."""
        return {
            at: end
            for at, end in self.ends.items()
            if (at[0] == EXCEPTIONS) is refusals and (judged or at[0] not in JUDGED)
        }


def plan(
    own: Collection[TP],
    processed: Mapping[TP, int],
    bounds: Mapping[TP, Bounds],
    positions: Mapping[TP, int],
    followed: Mapping[TP, int],
) -> Plan:
    """Return what is to be read of the partitions of this process.

    `followed` is how far transactions may be read.
    """
    made = Plan()
    for at, (first, end) in bounds.items():
        if at[0] == EXCEPTIONS and end > max(first, positions.get(at, 0)):
            made.needs[at] = end
    for at in sorted(own):
        if at not in bounds or (at[0] in JUDGED and at not in processed):
            continue  # a topic that isn't there yet, or one that the job hasn't begun with
        (start, end), position = bounds[at], positions.get(at)
        if position is not None and end < position:
            made.stopped[at] = _made_anew(at, end, position)
            continue
        if position is not None and start > position:
            made.missed[at] = start - position
        begin = max(start, position or 0)
        until = min(end, processed[at]) if at[0] in JUDGED else end
        made.known[at] = Known(until, end)
        made.starts[at] = begin
        if at[0] == ERP_TRANSACTIONS:
            until = min(until, followed.get(at, begin))
        made.ends[at] = max(begin, min(until, begin + ROUND_RECORDS_MAX))
    return made


def behind(plan: Plan, positions: Mapping[TP, int]) -> int:
    """Return how many records there are that the books don't have yet."""
    return sum(
        max(0, known.processed - positions.get(at, plan.starts[at]))
        for at, known in plan.known.items()
    )


def _made_anew(at: TP, end: int, position: int) -> str:
    topic, number = at
    return (
        f"partition {number} of {topic} ends at {end}, and the books have read it up to "
        f"{position}: it was made anew. `lineside desk rebuild` reads the books from what there is"
    )
