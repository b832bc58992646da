"""What a partition's task writes through: outputs and state changes, made lasting in order."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from streams.record import Outgoing

StateChanges = Mapping[bytes, bytes | None]
"""New values by key, None to forget the key."""

StateChange = tuple[bytes, bytes | None]
"""(key, new value), or (key, None) to forget the key."""


class Lost(Exception):
    """What was being written may have arrived or not: open the partition anew, and see."""


class Fenced(Lost):
    """Another writer has taken over: this one must write no more."""


class Writer(Protocol):
    """Makes what follows from a partition's records lasting."""

    async def write(
        self, outputs: Sequence[Outgoing], changes: StateChanges
    ) -> Sequence[StateChange]:
        """Write outputs first, then the state; return when both are acknowledged.

        Return what the local store has to note besides. Raises `Lost`, or a `Trouble` where trying
        again can't help.
        """
        ...

    async def close(self) -> None:
        """Let go of connections; nothing that `write` returned from is lost."""
        ...
