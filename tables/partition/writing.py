"""What lines are now, as far as it differs from the store: keys and values to be written."""

from collections.abc import Iterable
from itertools import islice
from typing import Final

import msgspec

from streams.values import writer
from tables.line import states
from tables.line.line import Line
from tables.line.packed import rows_bytes
from tables.line.packed_line import line_bytes
from tables.line.rows import Row
from tables.line.rules import PAGE_ROWS, SHARED_PAGES, Kind, Rules
from tables.line.timeline import Block
from tables.line.windows import RowKey
from tables.partition import stored
from tables.store.store import Changes

EXPIRING_BYTES: Final = 64 << 10
"""So many bytes of keys that expire are one value, about."""

_PAGE_ROWS, _SHARED_PAGES, _EXPIRING_BYTES = PAGE_ROWS, SHARED_PAGES, EXPIRING_BYTES
_LINE, _WINDOW, _EXPIRY, _POINTS = stored.LINE, stored.WINDOW, stored.EXPIRY, stored.POINTS
_encode = msgspec.msgpack.Encoder().encode
_to = writer.Writer()


class Places:
    """Ends of keys that most lines have in common."""

    def __init__(self, kinds: tuple[Kind, ...], offset: int) -> None:
        self.kinds = kinds
        self.offset = stored.instant_bytes(offset)
        self.pages: dict[tuple[int, int, int], bytes] = {}
        """Of pages, by (kind, carrier, page)."""
        self.buckets: dict[int, bytes] = {}
        """Of notes on what expires, by the begin of their bucket of time."""


def put_lines(
    made: Changes, lines: Iterable[Line], offset: int, ticks: int, rules: Rules, lasting: bool
) -> None:
    """Put what differs of lines; they are as stored then. Without `lasting`: what expires only.

    `offset` is that of the last record, `ticks` how many the partition has seen.
    """
    places, bucket = Places(rules.kinds, offset), rules.bucket
    for line in lines:
        for number, keys in line.expiring.items():
            begin = number * bucket
            if begin < line.oldest_bucket:
                line.oldest_bucket = begin
            _put_expiring(made, line, begin, places, keys)
        line.expiring.clear()
        line.bucket_keys = None
        if lasting:
            made[_LINE + line.key] = line_bytes(line, ticks, rules)
            _put_pages(made, line, places)
            if line.changed_episodes:
                made.update(stored.episode_changes(line, line.changed_episodes))
            if line.changed_finals:
                made.update(stored.final_changes(line))
            if line.timelines is not None:
                _put_points(made, line)
        line.changed_episodes.clear()
        line.changed_pages.clear()
        line.changed_finals.clear()
        states.written(line)


def _put_pages(made: Changes, line: Line, places: Places) -> None:
    """Put the changed pages: see `Line.changed_pages`."""
    prefix = _WINDOW + line.key + b"\0"
    windows, kinds = line.windows, places.kinds
    for page, key in line.changed_pages.items():
        index, carrier, number = page
        rows = windows[index].get(carrier)
        found = None if rows is None else _on_page(rows, number, key, kinds[index])
        made[prefix + _page_place(places, page)] = rows_bytes(found) if found else None


def _page_place(places: Places, page: tuple[int, int, int]) -> bytes:
    place = places.pages.get(page)
    if place is None:
        index, carrier, number = page
        place = places.pages[page] = stored.page_place(places.kinds[index].short, carrier, number)
    return place


def _on_page(rows: dict[RowKey, Row], page: int, key: RowKey, kind: Kind) -> dict[RowKey, Row]:
    """Return the rows of a page; `key` is that of one which is or was on it.

    Those of an episodic type may have gone one by one, and come back on another page. Of others the
    pages come in order.
    """
    if page >= _SHARED_PAGES:
        row = rows.get(key)
        return {} if row is None or row.page != page else {key: row}
    if len(rows) <= _PAGE_ROWS and not kind.episodic and _has_only(rows, page):
        return rows
    found = {}
    for each, row in islice(rows.items(), _SHARED_PAGES * _PAGE_ROWS):
        if row.page == page:
            found[each] = row  # noqa: PERF403  # no closure in compiled code
    return found


def _has_only(rows: dict[RowKey, Row], page: int) -> bool:
    """Return whether all rows are on a page."""
    for row in rows.values():  # noqa: SIM110  # no closure in compiled code
        if row.page != page:
            return False
    return True


def _put_points(made: Changes, line: Line) -> None:
    """Put the blocks of machine states that have changed.

    A block: [times, each the distance to the one before it, their states, and of what windows were
    told, if that isn't the same].
    """
    timelines = line.timelines
    assert timelines is not None  # asked before
    prefix = _POINTS + line.key + b"\0"
    for unit, base in timelines.changed:
        timeline = timelines.units.get(unit)
        block = None if timeline is None else timeline.block(base)
        key = prefix + unit.encode() + b"\0" + stored.instant_bytes(base)
        made[key] = None if block is None else _block_bytes(block)


def _block_bytes(block: Block) -> bytes:
    to, before = _to, 0
    writer.begin(to)
    writer.pack_list(to, 2 if block.told is None else 3)
    writer.pack_list(to, len(block.codes))
    for at in block.times:
        writer.pack_number(to, at - before)
        before = at
    writer.put(to, _encode(bytes(block.codes)))
    if block.told is not None:
        writer.put(to, _encode(bytes(block.told)))
    return writer.taken(to)


def _put_expiring(made: Changes, line: Line, begin: int, places: Places, keys: list[bytes]) -> None:
    """Put the notes on which ledger entries of a bucket of time came with a step, in parts."""
    bucket = places.buckets.get(begin)
    if bucket is None:
        bucket = places.buckets[begin] = stored.instant_bytes(begin) + places.offset
    where = _EXPIRY + line.key + b"\0" + bucket
    part: list[bytes] = []
    number = size = 0
    for key in keys:
        size += len(key)
    if size <= _EXPIRING_BYTES:
        made[where] = _encode(keys)
        return
    size = 0
    for key in keys:
        part.append(key)
        size += len(key)
        if size >= _EXPIRING_BYTES:
            made[where + number.to_bytes(2, "big") if number else where] = _encode(part)
            part, size, number = [], 0, number + 1
    if part:
        made[where + number.to_bytes(2, "big") if number else where] = _encode(part)
