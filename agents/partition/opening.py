"""What a partition is opened with, where it goes on, and the errors that say why it can't."""

import logging
from collections.abc import Awaitable, Callable
from typing import Final

from msgspec import Struct

from streams.log.record import Record
from streams.log.writing import Lost, Writer
from streams.trouble import Trouble
from tables.store.binding import (
    Binding,
    binding_change,
    binding_of,
    copied_record,
    read_binding,
    same_record,
)
from tables.store.store import HEAD, Changes, Store

AHEAD_TRIES_MAX: Final = 4
"""Openings in a row after which a topic that ends before its state counts as made anew or cut."""

FROM_ITS_START: Final = (
    "set another LINESIDE_GROUP (on the embedded log, another data_dir) to process it from its "
    "start, without what the state knows"
)

log = logging.getLogger("lineside.partition")


class DeletedError(Trouble):
    """An input topic no longer has the records that should be processed next."""


class RenewedError(Trouble):
    """An input topic isn't the one that the state was made from, or has lost its records."""


class Opened(Struct):
    """What a partition goes on with: its state, its writer, and where to read on."""

    store: Store
    writer: Writer
    start: int = 0
    """The first offset to read, if the state is empty."""
    first: int = 0
    """The first offset that the topic still has."""
    end: int | None = None
    """The offset after the last record; None if no state can be ahead of it."""
    skip_deleted: bool = False
    """Go on at `first` if the records after the state's last one were deleted."""
    topic_id: bytes = b""
    """Of the input topic; empty if it isn't known."""
    last: Record | None = None
    """The input's record at the offset of the state's binding; None if there is none."""
    same_log: bool = False
    """Go on with a topic of another id, if it has the state's last record at the same offset."""


class Progress(Struct):
    """How far the recovery of a partition is."""

    left: int | None = None
    """Records of the changelog still to be read; None if that isn't known yet."""
    seconds: float | None = None
    """How long reading them will take at the present speed."""


Open = Callable[[Progress], Awaitable[Opened]]


class Resumption:
    """Where a partition goes on, from one opening to the next, and with which log."""

    def __init__(self, name: str) -> None:
        self.deleted = 0
        """How many records were deleted before they could be processed, as the state counts."""
        self._name = name
        self._topic_id = b""
        self._seen: Record | None = None
        """The last record of the steps since it was opened."""
        self._ahead = 0
        """Openings in a row at which the topic ended before the state's offset."""

    def offset(self, at: int, opened: Opened) -> int:
        """Return where to go on, for a state that would at `at`; raise where it can't."""
        self._seen = None
        binding = read_binding(opened.store)
        self._topic_id = opened.topic_id or (binding.topic_id if binding else b"")
        self.deleted = binding.deleted if binding else 0
        if at == 0:
            return opened.start
        other = binding is not None and _other_id(binding, opened)
        if binding is not None and other:
            self._check_copy(binding, at, opened)
        if opened.end is not None and at > opened.end:
            self._ahead += 1
            # Just after a broker has come back, its partitions may look shorter than they are.
            raise (Lost if self._ahead < AHEAD_TRIES_MAX else RenewedError)(
                f"the state of {self._name} goes on at offset {at}, and the topic ends at "
                f"{opened.end}: it was made anew, or has lost records; {FROM_ITS_START}"
            )
        self._ahead = 0
        if binding is not None and not other and _other_record(binding, at, opened.last):
            raise RenewedError(
                f"the state of {self._name} has seen another record at offset {at - 1} than the "
                f"topic has there: it was made anew, or has lost records; {FROM_ITS_START}"
            )
        if at >= opened.first:
            return at
        gone = f"records {at} to {opened.first - 1} of {self._name} were deleted"
        if not opened.skip_deleted:
            raise DeletedError(
                f"{gone} before they were processed: set LINESIDE_SKIP_DELETED=true to go on "
                "without them, and a longer retention.ms on the topic"
            )
        log.warning("%s before they were processed: going on without them", gone)
        self.deleted += opened.first - at
        return opened.first

    def seen(self, record: Record) -> None:
        """Note which record the state has seen last."""
        self._seen = record

    def bind(self, changes: Changes) -> None:
        """Add what binds a state to its log, before the head; nothing if it has seen no more."""
        if self._seen is None:
            return
        binding = binding_of(self._seen, self._topic_id, self.deleted)
        head = changes.pop(HEAD)
        changes.update([binding_change(binding)])
        changes[HEAD] = head

    def _check_copy(self, binding: Binding, at: int, opened: Opened) -> None:
        """Raise unless a copied topic is allowed and this one has the state's last record."""
        last = opened.last
        if (
            opened.same_log
            and binding.offset == at - 1
            and last is not None
            and copied_record(binding, last)
        ):
            log.warning(
                "%s: its topic has another id, and the same record at offset %d: going on, as "
                "LINESIDE_SAME_LOG says", self._name, at - 1,
            )  # fmt: skip
            return
        raise RenewedError(
            f"the topic of {self._name} isn't the one that its state is of: it was made anew, and "
            f"offset {at} means another record now; {FROM_ITS_START}, or LINESIDE_SAME_LOG=true if "
            "it's a copy of the old one, record by record"
        )


def _other_id(binding: Binding, opened: Opened) -> bool:
    """Whether both topic ids are known and differ."""
    known = bool(binding.topic_id and opened.topic_id)
    return known and binding.topic_id != opened.topic_id


def _other_record(binding: Binding, at: int, last: Record | None) -> bool:
    """Whether the log's record at `at - 1` differs from the state's last one."""
    return binding.offset == at - 1 and last is not None and not same_record(binding, last)
