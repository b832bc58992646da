"""How a partition lies in its store: keys, and what a batch changes of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

import msgspec

from tables import episodes
from tables.episodes import Episode
from tables.head import HEAD, Head, check_shape, head_bytes, read_head
from tables.ledger import entry_time
from tables.line import Line, forget, new_line
from tables.rules import Rules
from tables.store import Change, Changes
from tables.windows import Row, horizon

if TYPE_CHECKING:
    from tables.partition import Partition

LINE: Final = b"h"
EPISODE: Final = b"e"
WINDOW: Final = b"w"
EXPIRY: Final = b"x"
"""Prefixes: lines, episodes, windows, and which ledger entries expire when. A line's keys go on
with its Kafka key and a zero byte. The head has a key, the ledger a prefix of its own."""

SWEPT_KEYS_MAX: Final = 20_000
"""Ledger entries that a batch deletes, about: bounds what it writes, and how long it takes."""

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder().decode


def load(partition: Partition) -> None:
    """Fill a partition with what its store has; a store without a head is empty."""
    (stored,) = partition.store.get_many([HEAD])
    if stored is None:
        return
    where = f"the state of {partition.topic}/{partition.number}"
    head = read_head(stored, where)
    check_shape(head, partition.shape, partition.rules, partition.topic, where)
    partition.offset = head.offset
    told = partition.counts
    told.accepted, told.duplicate, told.exception, told.tick = head.counts
    told.codes.update(head.codes)
    told.left.update(head.left)
    by_key: dict[bytes, Line] = {}
    for _, value in partition.store.scan(LINE):
        line = _read_line(value, partition.rules)
        partition.lines[line.key] = by_key[line.key] = line
    for key, value in partition.store.scan(EPISODE):
        line_key, name = key[1:].split(b"\0")
        by_key[line_key].episodes[name.decode()] = Episode(*_decode(value))
    kinds = {kind.short.encode(): kind for kind in partition.rules.kinds}
    for key, value in partition.store.scan(WINDOW):
        line_key, short, carrier = key[1:].split(b"\0", 2)
        by_key[line_key].windows[kinds[short].index][_instant(carrier)] = {
            (start, tuple(members)): Row([int(measure) for measure in measures], count, causes)
            for start, members, measures, count, causes in _decode(value)
        }
    for line in by_key.values():
        _recall(line, partition.rules)


def changes(
    partition: Partition,
    touched: Iterable[Line],
    fresh: Changes,
    expiring: Mapping[tuple[bytes, int], list[bytes]],
) -> Changes:
    """Return what a batch changes in the store, the offset among it.

    `fresh` has the new ledger entries, `expiring` their keys by (line, bucket of time); `fresh` is
    what is returned, with all else added to it.
    """
    rules = partition.rules
    made, room = fresh, SWEPT_KEYS_MAX
    partition.ledger_grown += len(fresh)
    for line in touched:
        if line.watermark >= line.sweep_due and room > 0:
            swept = _swept(partition, line, room)
            room -= len(swept)
            for key, gone in swept:  # what has expired may have been accepted anew in this batch
                if key not in made:
                    made[key] = gone
                    partition.ledger_grown -= not key.startswith(EXPIRY)
        if partition.lasting:
            made.update(_line_changes(line, rules))
        line.changed_episodes.clear()
        line.changed_windows.clear()
    offset = _bytes(partition.offset)
    for (line_key, number), keys in expiring.items():
        begin = number * rules.bucket
        line = partition.lines[line_key]
        line.oldest_bucket = min(line.oldest_bucket, begin)
        made[EXPIRY + line_key + b"\0" + _bytes(begin) + offset] = _encode(keys)
    told = partition.counts
    counts = [told.accepted, told.duplicate, told.exception, told.tick]
    head = Head(
        offset=partition.offset,
        counts=counts,
        codes=dict(told.codes),
        left=dict(told.left),
        shape=partition.shape,
    )
    made[HEAD] = head_bytes(head, rules.state_format)
    return made


def _line_changes(line: Line, rules: Rules) -> Iterator[Change]:
    yield LINE + line.key, _line_bytes(line)
    prefix = line.key + b"\0"
    for name in line.changed_episodes:
        episode = line.episodes.get(name)
        yield EPISODE + prefix + name.encode(), None if episode is None else _episode_bytes(episode)
    for index, carrier in line.changed_windows:
        rows = line.windows[index].get(carrier)
        key = WINDOW + prefix + rules.kinds[index].short.encode() + b"\0" + _bytes(carrier)
        yield key, None if rows is None else rows_bytes(rows)


def _swept(partition: Partition, line: Line, room: int) -> list[Change]:
    """Return the deletions of the line's ledger entries that no longer count; forget episodes.

    Once there are `room` of them the rest is left for the line's next batch.
    """
    rules = partition.rules
    oldest = line.watermark - rules.retention
    limit = rules.episode_limit
    for name in [n for n, e in line.episodes.items() if episodes.last_known(e, limit) < oldest]:
        forget(line, name, rules)
    gone: list[Change] = []
    if line.oldest_bucket + rules.bucket <= oldest:
        prefix = EXPIRY + line.key + b"\0"
        for index_key, stored in partition.store.scan(prefix):
            bucket = _instant(index_key[len(prefix) : len(prefix) + 8])
            if bucket + rules.bucket > oldest:
                break
            if len(gone) >= room:
                return gone
            keys: list[bytes] = _decode(stored)
            for key, entry in zip(keys, partition.store.get_many(keys), strict=True):
                # An identity may have been accepted anew since, with a later time.
                if entry is not None and entry_time(entry) < oldest:
                    gone.append((key, None))
            gone.append((index_key, None))
        line.oldest_bucket = oldest - oldest % rules.bucket
    line.sweep_due = line.watermark + rules.bucket
    return gone


def _recall(line: Line, rules: Rules) -> None:
    """Work out what a line keeps in memory only: what its episodes still have to do."""
    closed = horizon(line.watermark, rules.downtime.length, rules.grace)
    for name, episode in line.episodes.items():
        if episode.start is None:
            continue
        if episodes.counted_until(episode, rules.episode_limit) > closed or episode.start >= closed:
            line.live.add(name)
        if episode.end is None and not episode.planned and not episode.notified:
            line.pending[name] = episode.start + rules.breakdown
            line.due = min(line.due, line.pending[name])


def _line_bytes(line: Line) -> bytes:
    told: list[Any] = [
        line.plant,
        line.line,
        line.watermark,
        numbers(line.accepted),
        numbers(line.emitted),
        line.forgotten_micros,
        line.accepted_events,
        line.late_events,
        line.state,
    ]
    return _encode(told)


def _read_line(stored: bytes, rules: Rules) -> Line:
    plant, name, watermark, accepted, emitted, forgotten, events, late, state = _decode(stored)
    line = new_line(plant, name, watermark, rules)
    line.oldest_bucket = -(2**63)  # unknown: the first sweep looks
    line.accepted = [[int(sum_) for sum_ in sums] for sums in accepted]
    line.emitted = [[int(sum_) for sum_ in sums] for sums in emitted]
    line.forgotten_micros = forgotten
    line.accepted_events, line.late_events, line.state = events, late, state
    return line


def _episode_bytes(episode: Episode) -> bytes:
    return _encode(
        [
            episode.work_unit,
            episode.start,
            episode.end,
            episode.reason,
            episode.planned,
            episode.cause,
            episode.notified,
        ]
    )


def rows_bytes_plain(rows: Mapping[tuple[int, tuple[Any, ...]], Row]) -> bytes:
    return _encode(
        [
            (start, members, [_stored(measure) for measure in row.measures], row.count, row.causes)
            for (start, members), row in rows.items()
        ]
    )


def numbers_plain(sums: list[list[int]]) -> Any:
    """Return lists of integers so that they can be encoded."""
    return [[_stored(number) for number in each] for each in sums]


def _stored(measure: int) -> int | str:
    # MessagePack stops at 64 bits; billionths don't.
    return measure if -(2**63) <= measure < 2**63 else str(measure)


def _bytes(instant: int) -> bytes:
    return (instant + 2**63).to_bytes(8, "big")


def _instant(stored: bytes) -> int:
    return int.from_bytes(stored, "big") - 2**63


try:
    from tables.rows import numbers_bytes, rows_bytes
except ImportError:  # they weren't built: see hatch_build.py
    rows_bytes, numbers = rows_bytes_plain, numbers_plain
else:

    def numbers(sums: list[list[int]]) -> Any:
        """Return what `numbers_plain` does, encoded already."""
        return msgspec.Raw(numbers_bytes(sums))
