"""What a partition's task writes through: outputs and state changes, made lasting in order."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from streams.log.record import Outgoing

StateChanges = Mapping[bytes, bytes | None]
"""New values by key, None to forget the key."""

StateChange = tuple[bytes, bytes | None]
"""(key, new value), or (key, None) to forget the key."""


class Lost(Exception):
    """What was being written may have arrived or not: open the partition anew, and see."""


class Fenced(Lost):
    """Another writer has taken over: this one must write no more."""


class Writer(Protocol):
    """Makes what follows from a partition's records lasting.

    Both methods raise `Lost`, or a `Trouble` where trying again can't help. They may run at the
    same time, each once.
    """

    sends_ahead: bool
    """Outputs leave before the state that says so, by `send`; else with it, by `write`."""
    pause_seconds: float
    """Between two writes, while there's little to write."""

    async def send(self, outputs: Sequence[Outgoing]) -> None:
        """Send outputs, and return when they are acknowledged."""
        ...

    async def write(
        self, outputs: Sequence[Outgoing], changes: StateChanges
    ) -> Sequence[StateChange]:
        """Write a state, and the outputs that leave with it; return when it's acknowledged.

        Return what the local store has to note besides.
        """
        ...

    async def close(self) -> None:
        """Let go of connections; nothing that `write` returned from is lost."""
        ...
