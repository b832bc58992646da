"""What the agent that keeps the desk's books reads through, on either log."""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from typing import NamedTuple, Protocol

from streams.log.record import TP, Record


class Bounds(NamedTuple):
    """The first offset of a partition, and the one after its last record."""

    start: int
    end: int


class BooksLog(Protocol):
    """The topics that the books are made of.

    All methods may raise `Lost`, or a `Trouble` of the cluster: they are asked again later.
    """

    async def partitions(self) -> frozenset[TP]:
        """Return the partitions of all topics that are there."""
        ...

    async def own(self) -> frozenset[TP]:
        """Return the partitions that this process reads; others of its group read the rest."""
        ...

    async def processed(self) -> Mapping[TP, int]:
        """Return how far the job has processed inputs: what came of all before has been written.

        A partition that isn't there isn't known yet.
        """
        ...

    async def bounds(self, wanted: Collection[TP]) -> Mapping[TP, Bounds]:
        """Return where partitions begin and end; what isn't committed yet may be before an end."""
        ...

    def read(
        self, starts: Mapping[TP, int], ends: Mapping[TP, int]
    ) -> AsyncIterator[tuple[TP, Sequence[Record], int]]:
        """Yield committed records from `starts` to before `ends`, and where each partition is then.

        Offsets that have no record (the ends of transactions) are passed. It ends early where
        records are still to be committed.
        """
        ...

    def kept(self, positions: Mapping[TP, int]) -> None:
        """Say how far the books are: a log that forgets by itself keeps what they lack."""
        ...

    async def grown(self, seconds: float) -> None:
        """Wait until there may be something new to read, at most so long."""
        ...
