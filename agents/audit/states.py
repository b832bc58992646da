"""Compares a state stored in a changelog with the state that reprocessing gives."""

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any, Final, Literal, NamedTuple

import msgspec

from streams.contract.transactions import row_text
from streams.log.record import TP, Record
from streams.trouble import Trouble
from streams.values import instant, quantity
from tables.known.known import FACT, read_key
from tables.line import memory, old_rules, states
from tables.line.conservation import balances_by_unit, singles
from tables.line.downtime import BILLIONTHS_PER_MICRO
from tables.line.ledger import (
    FREED,
    PARKED,
    PREFIX,
    REVERSED,
    SILENT,
    counts,
    entry_fingerprint,
    entry_flags,
    entry_more,
    entry_time,
)
from tables.line.line import Line, sum_of
from tables.line.rules import Rules
from tables.partition.head import FORMATS, NEVER
from tables.partition.partition import Counts, Partition
from tables.partition.released import GROUP
from tables.partition.released import PARKED as PARKED_EVENT
from tables.partition.stored import EPISODE, FINAL, POINTS, WINDOW
from tables.store.store import Store

OUTCOMES: Final = ("accepted", "duplicate", "exception", "tick")

Kind = Literal["counts", "state", "ledger"]

OF_LINES: Final = (EPISODE, WINDOW, POINTS, FINAL, GROUP, PARKED_EVENT)
"""Prefixes of keys in which the key of a line follows."""

FLAGS: Final = {
    SILENT: "sent nothing",
    REVERSED: "reversed",
    PARKED: "parked",
    FREED: "freed",
}
"""What an entry of the ledger says beside time and fingerprint."""

UNREADABLE: Final = (
    ValueError, LookupError, TypeError, AttributeError, ArithmeticError, msgspec.MsgspecError,
)  # fmt: skip
"""What reading a state raises that something other than lineside has written to."""


class StateMismatch(NamedTuple):
    """A member of a state that differs; `key` is the line's, None for counts. None means absent."""

    kind: Kind
    key: bytes | None
    member: str
    expected: Any
    found: Any


def state_mismatches(
    source: TP, rules: Rules, stored: Store, right: Partition, taken: Sequence[Record] = ()
) -> Iterator[StateMismatch]:
    """Yield the members in which a stored state differs from `right`, the reprocessed partition.

    Both are after the same record, or `right` has `taken` some more records. Then the stored state
    takes them here, too: it may have been written in the middle of a record, with some windows
    closed already, or during a release. Ledger entries and episodes that are too old to count are
    left out, since each process deletes them at other times.
    """
    try:
        found = Partition(*source, rules, stored)
        if taken or found.unfinished:
            found.commit(found.step(taken))
        yield from _mismatches(
            "counts", None, counts_by_name(right.counts), counts_by_name(found.counts)
        )
        whole = found.begun == FORMATS[-1]
        for key in sorted(right.lines.keys() | found.lines.keys()):
            yield from _mismatches(
                "state", key, *(_line_contents(each, key, whole) for each in (right, found))
            )
        yield from _facts(right, stored)
        yield from _unknown_lines(right, stored)
        yield from _ledger(right, stored)
    except Trouble:
        raise
    except UNREADABLE as error:
        yield StateMismatch("state", None, "form", "one that can be read", repr(error))


def counts_by_name(counts: Counts) -> dict[str, int]:
    """Return counts by name: outcomes, exceptions by code, outputs by type."""
    return {
        **{name: getattr(counts, name) for name in OUTCOMES},
        **{f"exceptions {code}": count for code, count in sorted(counts.codes.items())},
        **{f"left {kind}": count for kind, count in sorted(counts.left.items())},
    }


def _mismatches(
    kind: Kind, key: bytes | None, expected: dict[str, Any], found: dict[str, Any]
) -> Iterator[StateMismatch]:
    for member in [*expected, *(name for name in found if name not in expected)]:
        if expected.get(member) != found.get(member):
            yield StateMismatch(kind, key, member, expected.get(member), found.get(member))


def _facts(right: Partition, stored: Store) -> Iterator[StateMismatch]:
    """Yield the reference records that one side lacks, or has otherwise."""
    ours, theirs = (dict(store.scan(FACT)) for store in (right.store, stored))
    for key in sorted(ours.keys() | theirs.keys()):
        if ours.get(key) != theirs.get(key):
            kind, plant, id = read_key(key)
            name = f"reference record {kind} {plant} {' '.join(map(str, id))}".rstrip()
            sides = [
                None if each is None else repr(each) for each in (ours.get(key), theirs.get(key))
            ]
            yield StateMismatch("state", None, name, *sides)


def _unknown_lines(right: Partition, stored: Store) -> Iterator[StateMismatch]:
    """Yield keys of lines that no record has named: such a line would begin with their values."""
    for prefix in OF_LINES:
        for key, _ in stored.scan(prefix):
            line, _, rest = key[1:].partition(b"\0")
            if line not in right.lines:
                yield StateMismatch("state", line, "line", None, repr(prefix + rest))


def _line_contents(partition: Partition, key: bytes, whole: bool) -> dict[str, Any]:
    """Return what a partition holds of a line, each value by its name.

    `whole`: what earlier formats didn't count has been counted from the first record on, too.
    """
    line = partition.lines.get(key)
    if line is None:
        return {}
    rules = partition.rules
    states.settle(line, rules)  # when it was last told depends on how the records were cut
    contents: dict[str, Any] = {
        "plant": line.plant,
        "line": line.line,
        "watermark": instant.text(line.watermark),
        "furthest close": line.furthest,
        "accepted events": line.accepted_events,
        "late events": line.late_events,
        "machine state": line.state,
    }
    for kind in rules.kinds:
        for slot, measure in enumerate(kind.measures):
            for name, sums in (("accepted", line.accepted), ("emitted", line.emitted)):
                contents[f"{name} {measure} of {kind.record}"] = quantity.text(
                    sums[sum_of(kind, slot)]
                )
            if parked := line.parked.get(sum_of(kind, slot)):
                contents[f"parked {measure} of {kind.record}"] = quantity.text(parked)
        for carrier, rows in line.windows[kind.index].items():
            for (start, members), row in rows.items():
                if not (any(row.measures) or row.count or row.causes):
                    continue  # added to and taken from: it says no more than none
                name = (
                    f"row {row_text(members)} of {kind.record}, window {instant.text(start)}, "
                    f"carried until {instant.text(carrier)}"
                )
                contents[name] = [*map(quantity.text, row.measures), row.count, *row.causes]
    for end, waiting in line.finals.items():
        for id, final in waiting.items():
            contents[f"final {id}"] = [instant.text(end), final.carrier, repr(final.value)]
    for each in old_rules.since(line.boundaries, old_rules.oldest_of(line)):
        contents[f"rules valid from {each.valid_from}"] = [each.begin, each.zone, each.cadences]
    if whole:
        contents.update(_singles(line, rules))
        contents.update(_units(line, rules))
    contents.update(_parked(partition, key))
    contents.update(_episodes(line, rules))
    contents.update(_timelines(line, rules))
    return contents


def _singles(line: Line, rules: Rules) -> Iterator[tuple[str, Any]]:
    """Yield what has become of the events that leave singly, by record type."""
    for record, single in singles(line, rules).items():
        for name, count in msgspec.structs.asdict(single).items():
            if count:
                yield f"{record} that leave singly, {name.replace('_', ' ')}", count


def _units(line: Line, rules: Rules) -> Iterator[tuple[str, Any]]:
    """Yield the sums of a line by unit of measure."""
    for (record, measure, uom), balance in balances_by_unit(line, rules).items():
        for name in ("accepted", "emitted", "parked"):
            if uom and (amount := getattr(balance, name)):
                yield f"{name} {measure} of {record} in {uom}", quantity.text(amount)


def _parked(partition: Partition, key: bytes) -> Iterator[tuple[str, Any]]:
    """Yield how many events of a line are parked, by what a hold can name of them."""
    for (lot, item, order), group in partition.parking.groups.get(key, {}).items():
        yield f"parked events of lot {lot}, item {item}, order {order}", group.count


def _timelines(line: Line, rules: Rules) -> Iterator[tuple[str, Any]]:
    """Yield how many points a work unit's machine states have that count, and a digest of them."""
    units = {} if line.timelines is None else line.timelines.units
    oldest = line.watermark - rules.retention
    for unit, timeline in units.items():
        points = hashlib.sha256()
        count = 0
        for point in timeline.remembered(oldest, rules.state_limit):
            points.update(repr(point).encode())
            count += 1
        if count:
            yield f"machine states of {unit}", f"{count}, {points.hexdigest()[:16]}"


def _episodes(line: Line, rules: Rules) -> Iterator[tuple[str, Any]]:
    gone = memory.forgettable(line, line.watermark - rules.retention, rules)
    for name, episode in line.episodes.items():
        if name not in gone:
            yield f"episode {name}", list(msgspec.structs.astuple(episode))
    lasted = memory.forgotten_open(line, rules) * BILLIONTHS_PER_MICRO
    yield "seconds of episodes forgotten without an end", quantity.text(lasted)


def _ledger(right: Partition, stored: Store) -> Iterator[StateMismatch]:
    """Yield the ledger entries that one side lacks, or that differ."""
    ours, theirs = (_counting(right, store) for store in (right.store, stored))
    one, other = next(ours, None), next(theirs, None)
    while one is not None or other is not None:
        if one == other:
            one, other = next(ours, None), next(theirs, None)
            continue
        key = min(pair[0] for pair in (one, other) if pair is not None)
        sides: list[str | None] = [None, None]
        if one is not None and one[0] == key:
            sides[0], one = _entry(one[1]), next(ours, None)
        if other is not None and other[0] == key:
            sides[1], other = _entry(other[1]), next(theirs, None)
        line, _, event = key[1:].partition(b"\0")
        name = event.replace(b"\0", b" ").decode("utf-8", "backslashreplace")
        yield StateMismatch("ledger", line, f"ledger entry {name}", *sides)


def _counting(right: Partition, store: Store) -> Iterator[tuple[bytes, bytes]]:
    """Yield the ledger entries that are young enough to count for their lines."""
    for key, entry in store.scan(PREFIX.encode()):
        line = right.lines.get(key[1:].partition(b"\0")[0])
        oldest = NEVER if line is None else line.watermark - right.rules.retention
        if counts(entry, oldest):
            # A parked event's number is its process's own.
            yield key, entry[:25] if entry_flags(entry) & PARKED else entry


def _entry(entry: bytes) -> str:
    flags = entry_flags(entry)
    told = f"{instant.text(entry_time(entry))} {entry_fingerprint(entry).hex()}"
    for flag, word in FLAGS.items():
        told += f", {word}" if flags & flag else ""
    if flags & FREED and not flags & PARKED:
        told += f" at {instant.text(entry_more(entry))}"
    return told
