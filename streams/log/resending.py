"""What the agent that sends refused events again reads and writes through, on either log."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Protocol

from msgspec import Struct

from streams.log.record import Record


class Resent(Struct, frozen=True):
    """An event that is sent again."""

    exception: tuple[int, int]
    """(partition, offset) of the exception that had it."""
    partition: int
    """Of `mes.events.v1`."""
    key: bytes | None
    value: bytes
    headers: Sequence[tuple[str, bytes | None]]


class Begun(Struct, frozen=True):
    """What the last holder of the office has left."""

    notes: Mapping[int, bytes]
    """The last note on each partition of exceptions."""
    sent: frozenset[tuple[int, int]]
    """The exceptions whose events were sent again after that note."""


class ResendingLog(Protocol):
    """`exceptions.v1`, and the partitions of `mes.events.v1` that the events go back to.

    All methods may raise `Lost`: what was being written may have arrived or not, and `begin` tells.
    """

    def leads(self) -> bool:
        """Return whether this is this process's office; another one may still think so."""
        ...

    async def rest(self) -> None:
        """Let go of connections while there's nothing to do; the next call makes new ones."""
        ...

    async def grown(self, seconds: float) -> None:
        """Wait until there may be something new to read, at most so long."""
        ...

    async def begin(self) -> Begun:
        """Shut out whoever had the office, and return what they have left."""
        ...

    async def bounds(self) -> Mapping[int, tuple[int, int]]:
        """Return the first and the next offset of each partition of exceptions."""
        ...

    def read(
        self, starts: Mapping[int, int], ends: Mapping[int, int]
    ) -> AsyncIterator[tuple[int, Sequence[Record]]]:
        """Yield (partition, committed exceptions), each partition from its start to before its end.

        A partition without a start isn't read.
        """
        ...

    async def send(self, events: Sequence[Resent], notes: Mapping[int, bytes]) -> None:
        """Write events and notes, all or none.

        Raises `Fenced` if another has taken the office.
        """
        ...
