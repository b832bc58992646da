"""EDGE: which records came of events: by their posting keys, and by the rows of windows."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import tzinfo
from decimal import Decimal
from typing import Any, Final

from msgspec import Struct
from sqlalchemy import Connection, RowMapping, or_, select

from streams.contract.events import AnyEvent, DowntimeClassified, DowntimeEnded, DowntimeStarted
from streams.contract.transactions import notification_key, place, reversal_key
from tables.books import amounts, leading, shown
from tables.books.fresh import told as told_at
from tables.books.leading import How, Told
from tables.books.schema import STOPS, SUMMARIES, TRANSACTIONS
from tables.books.stored import data_of
from tables.line.rules import Kind, Rules

ROWS_MAX: Final = 5_000
"""Records that are looked at for the events of one answer: of 50 events each has a few."""

At = tuple[str, int, int]
"""(topic, partition, offset)."""


class Seen(Struct, frozen=True):
    """An accepted event of the books, and what it is about."""

    row: RowMapping
    event: AnyEvent | None
    told: Told | None

    @property
    def at(self) -> At:
        """Where it lies."""
        return self.row["topic"], self.row["number"], self.row["position"]

    @property
    def cause(self) -> str | None:
        """The id by which records name it."""
        return None if self.event is None else self.event.id


class Record(Struct, frozen=True):
    """A record that came of an event, and how it left."""

    row: RowMapping
    how: How


class Plant(Struct, frozen=True):
    """What of a plant decides on windows: the `data` of its rules, its time zone, its grace."""

    rules: Sequence[Mapping[str, Any]]
    zone: tzinfo
    grace: int
    """In microseconds."""


def records(
    connection: Connection, events: Sequence[Seen], plants: Mapping[str, Plant], rules: Rules
) -> dict[At, list[Record]]:
    """Return the records for the ERP that came of accepted events."""
    found: defaultdict[At, list[Record]] = defaultdict(list)
    by_key: defaultdict[str, list[tuple[At, How]]] = defaultdict(list)
    for each in events:
        if each.told is not None:
            for key, how in leading.keys(rules, each.told).items():
                by_key[key].append((each.at, how))
    for key, at, how in _of_stops(connection, events):
        by_key[key].append((at, how))
    if by_key:
        wanted = select(*shown.TRANSACTION_COLUMNS).where(TRANSACTIONS.c.id.in_(sorted(by_key)))
        for row in connection.execute(wanted.limit(ROWS_MAX)).mappings():
            for at, how in by_key[row["id"]]:
                found[at].append(Record(row, how))
    for at, row in _of_windows(connection, events, plants, rules):
        found[at].append(Record(row, "window"))
    return dict(found)


def _of_stops(connection: Connection, events: Sequence[Seen]) -> list[tuple[str, At, How]]:
    """Return the keys of notifications that episodes may have led to, and of their reversals."""
    stops = [
        each
        for each in events
        if isinstance(each.event, DowntimeStarted | DowntimeEnded | DowntimeClassified)
    ]
    if not stops:
        return []
    wanted = select(STOPS.c.plant, STOPS.c.line, STOPS.c.episode, STOPS.c.started_at).where(
        STOPS.c.plant.in_(sorted({each.row["plant"] for each in stops})),
        STOPS.c.line.in_(sorted({each.row["line"] for each in stops})),
        STOPS.c.episode.in_(sorted({each.row["subject"] for each in stops})),
    )
    starts = {
        (row.plant, row.line, row.episode): row.started_at for row in connection.execute(wanted)
    }
    found: list[tuple[str, At, How]] = []
    for each in stops:
        row = each.row
        start = starts.get((row["plant"], row["line"], row["subject"]))
        if start is not None:
            key = notification_key(place(row["plant"], row["line"]), row["subject"], start)
            found.append((key, each.at, "notification"))
            found.append((reversal_key(key), each.at, "reversal"))
    return found


def _of_windows(
    connection: Connection, events: Sequence[Seen], plants: Mapping[str, Plant], rules: Rules
) -> list[tuple[At, RowMapping]]:
    """Return the records of windows that have events in their rows."""
    sought: list[tuple[Seen, Told, Kind, str]] = []
    ends: set[int] = set()
    for each in events:
        told = each.told
        if told is None or leading.goes_alone(told):
            continue
        for kind, row in leading.rows(rules, told, True):
            plant = plants[told.plant]
            for cadence in leading.cadences(rules, kind.record, plant.rules, plant.zone):
                ends.add(leading.window_of(cadence, told.time)[1])
                sought.append((each, told, kind, row))
    if not sought:
        return []
    column = TRANSACTIONS.c
    orders = {_text(told, "order") for _, told, kind, _ in sought if "order" in kind.row}
    narrow = [column.order_id.in_(sorted(each for each in orders if each is not None))]
    if any("order" not in kind.row or _text(told, "order") is None for _, told, kind, _ in sought):
        narrow.append(column.line.in_(sorted({told.line for _, told, _, _ in sought})))
    wanted = select(*shown.TRANSACTION_COLUMNS).where(
        or_(*narrow),
        column.happened_at.in_(sorted(ends)),
        column.plant.in_(sorted({told.plant for _, told, _, _ in sought})),
        column.type.in_(sorted({kind.record for _, _, kind, _ in sought})),
    )
    by_row: defaultdict[tuple[str, str, str], list[RowMapping]] = defaultdict(list)
    for one in connection.execute(wanted.limit(ROWS_MAX)).mappings():
        by_row[one["type"], one["plant"], one["line"]].append(one)
    found: dict[tuple[At, str], tuple[At, RowMapping]] = {}
    for each, told, kind, row in sought:
        there = [
            one
            for one in by_row[kind.record, told.plant, told.line]
            if one["window_start"] is not None
            and one["window_start"] <= told.time < one["window_end"]
            and one["id"].startswith(leading.key_start(kind, told, one["window_start"], row))
        ]
        for one in _caused(each, there):
            found[each.at, one["id"]] = each.at, one
    return list(found.values())


def _caused(each: Seen, revisions: list[RowMapping]) -> list[RowMapping]:
    """Return which of a row's revisions has an event: those that name it, else those of many."""
    named, unnamed = [], []
    for one in revisions:
        data = data_of(one["value"])
        causes = data.get("causes") or []
        if each.cause in causes:
            named.append(one)
        elif int(data.get("cause_count") or 0) > len(causes):
            unnamed.append(one)
    return named or unnamed


def _text(told: Told, name: str) -> str | None:
    value = getattr(told.data, name, None)
    return value if isinstance(value, str) else None


def _billionths(given: object) -> int:
    """Return a sum in billionths: it may be greater than any measure."""
    try:
        return amounts.billionths(*amounts.split(Decimal(str(given or 0))))
    except (ArithmeticError, ValueError):
        return 0


def summaries(
    connection: Connection, events: Sequence[Seen], rules: Rules
) -> dict[At, list[dict[str, Any]]]:
    """Return the rows of summaries that events went into, all revisions added up."""
    sought = [
        (each, each.told, kind, row, each.told.time - each.told.time % kind.length)
        for each in events
        if each.told is not None
        for kind, row in leading.rows(rules, each.told, False)
    ]
    if not sought:
        return {}
    column = SUMMARIES.c
    wanted = select(column.id, column.type, column.window_start, column.value).where(
        column.plant.in_(sorted({told.plant for _, told, _, _, _ in sought})),
        column.line.in_(sorted({told.line for _, told, _, _, _ in sought})),
        column.type.in_(sorted({kind.record for _, _, kind, _, _ in sought})),
        column.window_start.in_(sorted({start for *_, start in sought})),
    )
    by_window: defaultdict[tuple[str, int], list[Any]] = defaultdict(list)
    for one in connection.execute(wanted.limit(ROWS_MAX)):
        by_window[one.type, one.window_start].append(one)
    found: defaultdict[At, list[dict[str, Any]]] = defaultdict(list)
    for each, told, kind, row, start in sought:
        begin = leading.key_start(kind, told, start, row)
        revisions = [one for one in by_window[kind.record, start] if one.id.startswith(begin)]
        if revisions:
            data = [data_of(one.value) for one in revisions]
            found[each.at].append(
                {
                    "type": kind.record,
                    "window_start": told_at(start),
                    "row": {name: data[0][name] for name in kind.row if name in data[0]},
                    "values": {
                        name: amounts.text(0, sum(_billionths(one.get(name)) for one in data))
                        for name in kind.measures
                    },
                }
            )
    return dict(found)
