"""What a partition is opened with, and where it goes on; what is said where it can't."""

import logging
from collections.abc import Awaitable, Callable
from typing import Final

from msgspec import Struct

from streams.trouble import Trouble
from streams.writing import Lost, Writer
from tables.store import Store

AHEAD_TRIES_MAX: Final = 4
"""A topic that ends before what its state has seen so often was made anew, or has lost records."""

log = logging.getLogger("lineside.partition")


class DeletedError(Trouble):
    """An input topic no longer has what should be processed next."""


class RenewedError(Trouble):
    """An input topic ends before what its state has seen."""


class Opened(Struct):
    """What a partition goes on with: its state, its writer, and where to read on."""

    store: Store
    writer: Writer
    start: int = 0
    """The first offset to read, where the state is empty."""
    first: int = 0
    """The first offset that there is."""
    end: int | None = None
    """The offset after the last record; None where no state can be ahead of it."""
    skip_deleted: bool = False
    """Go on at `first` where what the state would go on with was deleted."""


class Progress(Struct):
    """How far the recovery of a partition is."""

    left: int | None = None
    """Records of the changelog still to be read; None before that is known."""
    seconds: float | None = None
    """How long that will take at the present speed."""


Open = Callable[[Progress], Awaitable[Opened]]


class Resumption:
    """Where a partition goes on, from one opening to the next."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._ahead = 0
        """How often in a row the topic has ended before what the state has seen."""

    def offset(self, at: int, opened: Opened) -> int:
        """Return where to go on, for a state that would at `at`; raise where it can't."""
        if at == 0:
            return opened.start
        if opened.end is not None and at > opened.end:
            self._ahead += 1
            # For a moment after a broker has come back its partitions may look shorter.
            raise (Lost if self._ahead < AHEAD_TRIES_MAX else RenewedError)(
                f"the state of {self._name} goes on at offset {at}, and the topic ends at "
                f"{opened.end}: it was made anew, or has lost records; set another LINESIDE_GROUP "
                "to process it from its start, without what the state knows"
            )
        self._ahead = 0
        if at >= opened.first:
            return at
        gone = f"records {at} to {opened.first - 1} of {self._name} were deleted"
        if not opened.skip_deleted:
            raise DeletedError(
                f"{gone} before they were processed: set LINESIDE_SKIP_DELETED=true to go on "
                "without them, and a longer retention.ms on the topic"
            )
        log.warning("%s before they were processed: going on without them", gone)
        return opened.first
