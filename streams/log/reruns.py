"""What sends inputs again reads and writes through, on either log."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Protocol

from streams.log.desk import Again
from streams.log.record import TP, Record

Span = tuple[int, int]
"""From an offset on, to before another one."""


class RerunLog(Protocol):
    """The inputs, and `audit.v1`. All methods may raise `Lost` or a `Trouble`."""

    async def spans(self, topics: Sequence[str], begin: int, end: int) -> Mapping[TP, Span]:
        """Return where records with a timestamp from `begin` to before `end` lie, about."""
        ...

    async def ends(self, topics: Sequence[str]) -> Mapping[TP, int]:
        """Return the next offset of each partition."""
        ...

    def read(self, spans: Mapping[TP, Span]) -> AsyncIterator[tuple[TP, Sequence[Record]]]:
        """Yield the records of spans, partition by partition, in their order."""
        ...

    async def take(self, run: str) -> None:
        """Shut out whoever sends the same again; only then is what was sent known."""
        ...

    async def notes(self) -> Sequence[bytes]:
        """Return what is on `audit.v1`."""
        ...

    async def send(self, events: Sequence[Again], note: bytes | None = None) -> None:
        """Write events, and a record of `audit.v1`, all or none of each partition."""
        ...

    async def close(self) -> None:
        """Let go of the log."""
        ...
