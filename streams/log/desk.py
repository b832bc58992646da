"""What the desk writes through, on either log: acts, and events that are sent again with them."""

from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct

from streams.log.lineage import Header


class Again(Struct, frozen=True):
    """A record that is sent again; `partition` None: the one that its key says."""

    topic: str
    partition: int | None
    key: bytes | None
    value: bytes
    headers: Sequence[Header] = ()


class Sending(Struct, frozen=True):
    """An act for `audit.v1`, and what is sent again with it."""

    id: str
    subject: str
    """The id of the exception: the key of the act's record."""
    act: bytes
    again: Again | None = None


class DeskLog(Protocol):
    """`audit.v1`, the inputs and `erp.master.v1`.

    `send` and `complete` may raise `Lost`: what was being written may have arrived or not, and
    `complete` settles it.
    """

    @property
    def sender(self) -> str:
        """The name under which this desk writes, no other's: it stands in its claims."""
        ...

    @property
    def alone(self) -> bool:
        """Whether no other desk can be at work: what an earlier one left is finished at once."""
        ...

    async def send(self, sendings: Sequence[Sending]) -> None:
        """Write acts, and what is sent again with them, all or none.

        Raises a `Trouble` that is no `Lost` if they can't be written, and never will be.
        """
        ...

    async def complete(self, sender: str, sendings: Sequence[Sending], start: int) -> None:
        """Write what a sender may have left unwritten; the sender itself can write no more.

        Its acts are looked for in `audit.v1` from the offset `start` on. Raises what `send` does.
        """
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...
