"""What the agents of master data read and write through, on either log."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Protocol

from streams.log.record import Outgoing, Record

Pair = tuple[bytes, bytes]
"""Key and value of a record."""


class ReferenceLog(Protocol):
    """`erp.master.v1`, `reference.v1`, and the partitions of `mes.events.v1` that are copied to.

    All methods may raise `Lost`: what was being written may have arrived or not.
    """

    @property
    def partitions(self) -> int:
        """How many partitions `mes.events.v1` has."""
        ...

    def leads(self) -> bool:
        """Return whether master data is this process's office; another one may still think so."""
        ...

    async def rest(self) -> None:
        """Let go of connections while there's nothing to do; the next call makes new ones."""
        ...

    async def identity(self, topic: str) -> str:
        """Return the id of a topic with one partition, empty where there is none."""
        ...

    async def grown(self, seconds: float) -> None:
        """Wait until there may be something new to read, at most so long."""
        ...

    async def end(self, topic: str) -> int:
        """Return the offset after the last committed record of a topic with one partition."""
        ...

    def read(self, topic: str, start: int, end: int) -> AsyncIterator[Sequence[Record]]:
        """Yield the committed records from `start` to before `end`, many at a time."""
        ...

    async def take_office(self) -> None:
        """Shut out whoever has kept `reference.v1` before: what they have written is all there."""
        ...

    async def keep(self, exceptions: Sequence[Outgoing], records: Sequence[Outgoing]) -> None:
        """Write exceptions, and records to `reference.v1`: these all or none, and those not after.

        Raises `Fenced` if another has taken the office.
        """
        ...

    async def noted(self) -> dict[int, bytes]:
        """Return what `note` has written last, by partition."""
        ...

    async def note(self, notes: Mapping[int, bytes]) -> None:
        """Note how far the copying into partitions has come."""
        ...

    async def copy(self, copies: Mapping[int, Sequence[Pair]]) -> None:
        """Write copies into partitions of `mes.events.v1`; return when all are acknowledged.

        Partitions may share a sequence: then it's encoded once.
        """
        ...

    def untaken(self) -> int:
        """Return how many records wait, about, in the partition of this process that has fewest.

        It is one of those that `copy` has written to last.
        """
        ...

    async def tell(self, records: Sequence[Pair]) -> None:
        """Write notes to `reference.v1`, from any process."""
        ...
