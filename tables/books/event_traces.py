"""EDGE: events with all that became of them: checks, records, corrections, what they wait for."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection, RowMapping, and_, or_, select

from streams.contract.checks import CHECKS
from streams.contract.events import TransactionReversed
from tables.books import became, leading, shown, transactions_list, waiting
from tables.books.became import At, Seen
from tables.books.besides import seen_besides
from tables.books.fresh import told as told_at
from tables.books.holds import Force, forces_on, parking_of
from tables.books.parked import REVERSED, backflushed
from tables.books.plants import Plants
from tables.books.schema import EXCEPTIONS, INPUTS
from tables.books.stored import event_of
from tables.line.plans import TOUCHED
from tables.line.rules import Rules

EVENTS_MAX: Final = 50
"""Of one answer."""

RELATED_MAX: Final = 1_000
"""Repetitions and reversals of the events of one answer."""

Trace = dict[str, Any]


def traces(
    connection: Connection,
    plants: Plants,
    rows: Sequence[RowMapping],
    rules: Rules,
    now: int,
) -> list[Trace]:
    """Return events of the books with all that became of them, in their order."""
    events = [_seen(row) for row in rows]
    accepted = [each for each in events if each.row["outcome"] == "accepted" and each.event]
    named = frozenset(str(each.row["plant"]) for each in accepted)
    of_plants = waiting.plants_of(connection, named, rules, now)
    records = became.records(connection, accepted, of_plants, rules)
    sums = became.summaries(connection, accepted, rules)
    reversals = _reversals(connection, accepted)
    originals = _originals(connection, accepted)
    repeated = _repeated(connection, plants, events)
    codes = _codes(connection, events)
    waits = _waits(connection, accepted, records, reversals, originals, of_plants, rules)
    left = [record.row for each in records.values() for record in each]
    taken = transactions_list.reversals(connection, sorted({row["id"] for row in left}))
    return [
        {
            **shown.event(each.row),
            "checks": checks_of(each.row["outcome"], codes.get(each.at)),
            "became": [
                {
                    "transaction": shown.transaction(record.row, taken.get(record.row["id"])),
                    "how": record.how,
                }
                for record in sorted(
                    records.get(each.at, ()),
                    key=lambda one: (one.row["written_at"], one.row["id"]),
                )
            ],
            "waits_for": waits.get(each.at),
            "duplicates": repeated.get(each.at, []),
            "reversed_by": _shown(reversals.get(each.at)),
            "reverses": _shown(originals.get(each.at)),
            "summaries": sums.get(each.at, []),
        }
        for each in events
    ]


def checks_of(outcome: str, code: tuple[str, str] | None) -> list[dict[str, Any]]:
    """Return the checks that a record went through; the last one decided, where it didn't pass.

    `code` is that of its exception, with its reason.
    """
    passed = []
    wanted = code[0] if code is not None else outcome
    for check in CHECKS:
        if check.outcome in ("tick", "accepted"):
            continue
        number = int(check.number.rstrip("a"))
        decided = check.outcome == wanted and not _is_earlier(check.number, code)
        passed.append({"check": number, "code": check.outcome, "passed": not decided})
        if decided:
            break
    return passed


def _is_earlier(number: str, code: tuple[str, str] | None) -> bool:
    """Return whether of two checks with one code the other one applied: 2 asks for a type only."""
    return number == "2" and code is not None and not code[1].startswith("type is")


def _seen(row: RowMapping) -> Seen:
    event = event_of(row["value"])
    return Seen(row, event, None if event is None else leading.told_of(event))


def _shown(row: RowMapping | None) -> dict[str, Any] | None:
    return None if row is None else shown.event(row)


def _reversals(connection: Connection, events: Sequence[Seen]) -> dict[At, RowMapping]:
    """Return the accepted reversal of each event that has one."""
    ids = sorted({each.row["event_id"] for each in events})
    if not ids:
        return {}
    wanted = select(*shown.EVENT_COLUMNS).where(
        INPUTS.c.subject.in_(ids), INPUTS.c.type == REVERSED, INPUTS.c.outcome == "accepted"
    )
    found = {
        (row["plant"], row["line"], row["source"], row["subject"]): row
        for row in connection.execute(wanted.limit(RELATED_MAX)).mappings()
    }
    return {each.at: found[name] for each in events if (name := _name(each.row)) in found}


def _originals(connection: Connection, events: Sequence[Seen]) -> dict[At, RowMapping]:
    """Return the event that each reversal takes back."""
    reversals = {
        each.at: (each.row["plant"], each.row["line"], each.row["source"], each.event.data.reverses)
        for each in events
        if isinstance(each.event, TransactionReversed)
    }
    if not reversals:
        return {}
    wanted = select(*shown.EVENT_COLUMNS).where(
        INPUTS.c.event_id.in_(sorted({name[3] for name in reversals.values()})),
        INPUTS.c.outcome == "accepted",
    )
    found = {_name(row): row for row in connection.execute(wanted.limit(RELATED_MAX)).mappings()}
    return {at: found[name] for at, name in reversals.items() if name in found}


def _repeated(
    connection: Connection, plants: Plants, events: Sequence[Seen]
) -> dict[At, list[dict[str, Any]]]:
    """Return where each event came again."""
    ids = sorted({each.row["event_id"] for each in events if each.row["event_id"]})
    if not ids:
        return {}
    column = INPUTS.c
    names = ("topic", "number", "position", "arrived_at", "plant", "line", "source", "event_id")
    wanted = (
        select(*(column[name] for name in names))
        .where(
            column.event_id.in_(ids),
            column.outcome == "duplicate",
            seen_besides(column.plant, plants),
        )
        .order_by(column.topic, column.number, column.position)
    )
    found: defaultdict[tuple[Any, ...], list[dict[str, Any]]] = defaultdict(list)
    for row in connection.execute(wanted.limit(RELATED_MAX)).mappings():
        found[_name(row)].append(
            {
                "topic": row["topic"],
                "partition": row["number"],
                "offset": row["position"],
                "at": told_at(row["arrived_at"]),
            }
        )
    return {
        each.at: found[_name(each.row)]
        for each in events
        if each.row["outcome"] == "accepted" and _name(each.row) in found
    }


def _name(row: RowMapping) -> tuple[Any, ...]:
    return row["plant"], row["line"], row["source"], row["event_id"]


def _codes(connection: Connection, events: Sequence[Seen]) -> dict[At, tuple[str, str]]:
    """Return code and reason of the exceptions of refused events."""
    refused = [each.at for each in events if each.row["outcome"] == "refused"]
    if not refused:
        return {}
    column = EXCEPTIONS.c
    wanted = select(column.topic, column.number, column.position, column.code, column.reason).where(
        or_(
            *(
                and_(column.topic == topic, column.number == number, column.position == position)
                for topic, number, position in refused
            )
        )
    )
    return {
        (topic, number, position): (code, reason)
        for topic, number, position, code, reason in connection.execute(wanted)
    }


def _waits(
    connection: Connection,
    events: Sequence[Seen],
    records: Mapping[At, Sequence[became.Record]],
    reversals: Mapping[At, RowMapping],
    originals: Mapping[At, RowMapping],
    plants: Mapping[str, became.Plant],
    rules: Rules,
) -> dict[At, waiting.Waits]:
    """Return what events wait for of which nothing has left."""
    unsent = [each for each in events if not records.get(each.at)]
    if not unsent:
        return {}
    named = sorted({each.row["plant"] for each in unsent})
    lines = waiting.lines_of(connection, named)
    touched = [
        row
        for row in (*(each.row for each in unsent), *originals.values())
        if row["type"] in TOUCHED
    ]
    forces: list[Force] = []
    if touched:
        orders = {row["order_id"] for row in touched if row["order_id"]}
        forces = forces_on(connection, frozenset(row["plant"] for row in touched), orders)
    silent = backflushed(connection, touched)
    found: dict[At, waiting.Waits] = {}
    for each in unsent:
        about = originals.get(each.at, each.row)
        if about["type"] in TOUCHED and (about["number"], about["position"]) in silent:
            continue
        if about is not each.row and _was_parked(about, each.row, forces):
            continue
        line = lines.get((each.row["plant"], each.row["line"]), waiting.Line(None, None))
        plant, taken_back = plants[each.row["plant"]], each.at in reversals
        waits = waiting.waits_for(connection, each, line, forces, plant, rules, taken_back)
        if waits is not None:
            found[each.at] = waits
    return found


def _was_parked(original: RowMapping, reversal: RowMapping, forces: Sequence[Force]) -> bool:
    """Return whether an event was parked when it was taken back: then nothing leaves of either."""
    parking = parking_of(original, forces)
    return parking is not None and (parking.by is not None or parking.freed > reversal["position"])
