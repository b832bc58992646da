"""How a partition lies in its store: what is written of it, and how it is read again."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import TYPE_CHECKING, Final

import msgspec

from streams.contract.topics import MACHINE_EVENTS
from tables.line import episodes, memory, old_rules, states
from tables.line.closing import due_of
from tables.line.downtime import accept_rows, take_over_standstill
from tables.line.ledger import counts
from tables.line.line import Line, counted_to
from tables.line.maintenance import may_become_due
from tables.line.rules import Rules
from tables.line.units import take_over_units
from tables.partition import stored, stored_line, writing
from tables.partition.cold import FOREVER
from tables.partition.head import (
    PAGED,
    Head,
    format_of,
    head_bytes,
    read_head,
    shape_to_go_on_with,
)
from tables.partition.shape import Shape, rows_before
from tables.partition.stored import EPISODE, EXPIRY, FINAL, LINE, POINTS, WINDOW
from tables.store.store import HEAD, Change, Changes

if TYPE_CHECKING:
    from tables.partition.partition import Partition

SWEPT_KEYS_MAX: Final = 20_000
"""Ledger entries that a step deletes, about: bounds what it writes, and how long it takes."""

LINES_AT_ONCE: Final = 500
"""Read between two pauses: some hundredth of a second."""


def loading(partition: Partition) -> Iterator[None]:
    """Fill a partition with what its store has; a store without a head is empty.

    Yields now and then, for whoever has something else to do: there may be any number of lines.
    """
    (found,) = partition.store.get_many([HEAD])
    if found is None:
        return
    where = f"the state of {partition.topic}/{partition.number}"
    head = read_head(found, where)
    format_ = format_of(found)
    partition.shape = shape_to_go_on_with(
        head, partition.rules, partition.topic, where, lambda: _open_shorts(partition)
    )
    before = msgspec.convert(head.shape, Shape)
    partition.earlier, partition.retention_before = rows_before(before), before.retention
    partition.offset = head.offset
    partition.ticks, partition.floors, partition.begun = head.ticks, [*head.floors], head.begun
    if format_ == PAGED:  # its floors are watermarks
        idle = partition.rules.idle_grace
        partition.floors = [(number, floor + idle) for number, floor in head.floors]
    told = partition.counts
    told.accepted, told.duplicate, told.exception, told.tick = head.counts
    told.codes.update(head.codes)
    told.left.update(head.left)
    partition.known.load(partition.store.scan)
    if format_ < PAGED:
        yield from _loading_first(partition, [kind.short for kind in before.kinds])
        return
    for number, (key, value) in enumerate(partition.store.scan(LINE), 1):
        if number % LINES_AT_ONCE == 0:
            yield
        line = _line_of(partition, key[1:], value)
        if partition.full:
            partition.cold.add(line, due(line, partition.rules), partition.rules)
        else:
            partition.lines[line.key] = line
    if partition.cold.count:
        partition.cooled_at = partition.ticks
    partition.parking.next = head.parked
    yield from partition.parking.loading(partition.known)


def _open_shorts(partition: Partition) -> set[str]:
    """Return the short names of the record types that have open windows."""
    return {stored.window_short(key) for key, _ in partition.store.scan(WINDOW)}


def _loading_first(partition: Partition, shorts: list[str]) -> Iterator[None]:
    """Read all lines of a state of format 1 or 2, which has the sums of these record types."""
    rules, store = partition.rules, partition.store
    for number, (_, value) in enumerate(store.scan(LINE), 1):
        if number % LINES_AT_ONCE == 0:
            yield
        line = stored_line.read_first_line(value, rules, shorts, partition.known)
        partition.lines[line.key] = line
    for number, (key, value) in enumerate(store.scan(EPISODE), 1):
        if number % LINES_AT_ONCE == 0:
            yield
        line_key, name, episode = stored.read_episode(key, value)
        partition.lines[line_key].episodes[name] = episode
    for number, (key, value) in enumerate(store.scan(WINDOW), 1):
        if number % LINES_AT_ONCE == 0:
            yield
        line_key, rest = key[1:].split(b"\0", 1)
        stored.read_rows(
            partition.lines[line_key], rest, value, rules.kinds_by_short, partition.earlier
        )
    for number, line in enumerate(partition.lines.values(), 1):
        if number % LINES_AT_ONCE == 0:
            yield
        _recall(line, rules)
        stored_line.set_reach(line, line.watermark, partition.retention_before)
        accept_rows(line, rules)
        take_over_units(line, rules)
        take_over_standstill(line, rules)
        line.oldest_bucket = -FOREVER  # unknown: the first sweep looks
        partition.unsealed[line.key] = line


def recalled(partition: Partition, key: bytes) -> Line | None:
    """Return a line as the store has it, None if that has none of this key."""
    (found,) = partition.store.get_many([LINE + key])
    return None if found is None else _line_of(partition, key, found)


def _line_of(partition: Partition, key: bytes, value: bytes) -> Line:
    store, rules = partition.store, partition.rules
    line = stored_line.read_line(value, rules, partition.floors, partition.known)
    for place, told in store.scan(EPISODE + key + b"\0"):
        _, name, episode = stored.read_episode(place, told)
        line.episodes[name] = episode
    prefix = WINDOW + key + b"\0"
    for place, told in store.scan(prefix):
        stored.read_rows(line, place[len(prefix) :], told, rules.kinds_by_short, partition.earlier)
    prefix = FINAL + key + b"\0"
    for place, told in store.scan(prefix):
        stored.read_final(line, place[len(prefix) :], told)
    if partition.topic == MACHINE_EVENTS:
        prefix = POINTS + key + b"\0"
        for place, told in store.scan(prefix):
            stored.read_points(line, place[len(prefix) :], told, rules)
    _recall(line, rules)
    if line.old_layout:
        stored_line.set_reach(line, line.watermark, partition.retention_before)
        accept_rows(line, rules)
        take_over_units(line, rules)
    take_over_standstill(line, rules)
    first = next(store.scan(EXPIRY + key + b"\0"), None)
    line.oldest_bucket = FOREVER if first is None else stored.read_expiry(line, first[0])
    return line


def ledger_changes(partition: Partition, touched: Iterable[Line], fresh: Changes) -> Changes:
    """Return what a step changes in the ledger: its new entries, `fresh`, and what has expired.

    When the new ones will expire is noted at the next seal.
    """
    made, room = fresh, SWEPT_KEYS_MAX
    partition.ledger_grown += len(fresh)
    for line in touched:
        if line.watermark >= line.sweep_due and room > 0:
            swept = _swept(partition, line, room)
            room -= len(swept)
            for key, gone in swept:  # what has expired may have been accepted anew in this step
                if key not in made:
                    made[key] = gone
                    partition.ledger_grown -= not key.startswith(EXPIRY)
    return made


def line_changes(partition: Partition, lines: Collection[Line]) -> Changes:
    """Return what lines are now, as far as it differs from the store; they are as stored then."""
    made: Changes = {}
    if partition.lasting:
        for line in lines:
            if line.old_layout:
                _leave_old_layout(made, partition, line)
    writing.put_lines(
        made, lines, partition.offset, partition.ticks, partition.rules, partition.lasting
    )
    return made


def sealing_changes(partition: Partition, lines: Collection[Line]) -> Changes:
    """Return what makes the store say what the partition is now, but for the ledger: head last."""
    made = line_changes(partition, lines)
    told = partition.counts
    counts = [told.accepted, told.duplicate, told.exception, told.tick]
    head = Head(
        offset=partition.offset,
        counts=counts,
        codes=dict(told.codes),
        left=dict(told.left),
        shape=partition.shape,
        ticks=partition.ticks,
        floors=partition.floors,
        begun=partition.begun,
        parked=partition.parking.next,
    )
    made[HEAD] = head_bytes(head)
    return made


def due(line: Line, rules: Rules) -> int:
    """Return the watermark at which something is to be done for a line, `FOREVER` if never."""
    dues = [line.due]
    if line.episodes:
        dues.append(memory.forgotten_next(line, rules.episode_limit) + rules.retention + 1)
    first = states.forgotten_next(line, rules)
    if first < FOREVER:
        dues.append(max(first + rules.retention + 1, line.sweep_due))
    if line.oldest_bucket < FOREVER:
        dues.append(max(line.oldest_bucket + rules.bucket + rules.retention, line.sweep_due))
    return min(dues, default=FOREVER)


def _leave_old_layout(made: Changes, partition: Partition, line: Line) -> None:
    """Let all windows of a line be written anew, by their carriers, and the old ones go."""
    line.old_layout = False
    for key, _ in partition.store.scan(WINDOW + line.key + b"\0"):
        made[key] = None
    for index, carried in enumerate(line.windows):
        for carrier, rows in carried.items():
            for row_key, row in rows.items():
                line.changed_pages[index, carrier, row.page] = row_key


def _swept(partition: Partition, line: Line, room: int) -> list[Change]:
    """Return the deletions of the line's ledger entries that no longer count; forget episodes.

    Once there are `room` of them the rest is left for the line's next step.
    """
    rules = partition.rules
    oldest = line.watermark - rules.retention
    memory.forget_all(line, oldest, rules)
    states.forget(line, oldest, rules)
    if old_rules.may_forget(line):
        old_rules.forget(line, partition.parking.since_of(line.key))
    gone: list[Change] = []
    if line.oldest_bucket + rules.bucket <= oldest:
        line_oldest = FOREVER
        for index_key, value in partition.store.scan(EXPIRY + line.key + b"\0"):
            bucket = stored.read_expiry(line, index_key)
            if bucket + rules.bucket > oldest:
                line_oldest = bucket
                break
            if len(gone) >= room:
                return gone
            keys = stored.read_expiring(value)
            for key, entry in zip(keys, partition.store.get_many(keys), strict=True):
                # An identity may have been accepted anew since, with a later time.
                if entry is not None and not counts(entry, oldest):
                    gone.append((key, None))
            gone.append((index_key, None))
        line.oldest_bucket = line_oldest
    line.sweep_due = line.watermark + rules.bucket
    return gone


def _recall(line: Line, rules: Rules) -> None:
    """Work out what a line keeps in memory only: what its episodes still have to do."""
    closed = counted_to(line)
    for name, episode in line.episodes.items():
        if episode.start is None:
            continue
        memory.place(line, name, episode, rules.episode_limit)
        if episodes.counted_until(episode, rules.episode_limit) > closed or episode.start >= closed:
            line.live.add(name)
        if may_become_due(episode):
            line.pending.add(name)
    line.due = due_of(line)
