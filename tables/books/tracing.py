"""EDGE: what became of this: all that the books have under a name, and what it means."""

from collections.abc import Sequence
from typing import Annotated, Any, Final

from msgspec import Meta, Struct
from sqlalchemy import ColumnElement, Connection, RowMapping, or_, select

from tables.books import causes, double_bookings, event_traces, finding, meaning, shown
from tables.books.asked import OneAsked, Text
from tables.books.besides import seen_besides
from tables.books.finding import Found, Kind
from tables.books.fresh import fresh
from tables.books.plants import Plants
from tables.books.schema import EXCEPTIONS, INPUTS, SUMMARIES, TRANSACTIONS
from tables.books.transactions_list import shown_with_reversals
from tables.line.rules import Rules

SHOWN_MAX: Final = 50
"""Events, records and exceptions of one answer, each."""

Query = Annotated[str, Meta(min_length=1, max_length=finding.NAME_CHARACTERS_MAX)]


class TraceAsked(OneAsked, frozen=True, kw_only=True):
    """What is asked for: `q`, of which `kind` where it may be several, in which plant."""

    q: Query
    kind: Kind | None = None
    plant: Text | None = None
    source: Text | None = None


class EventAsked(OneAsked, frozen=True, kw_only=True):
    """Which event: by where it lies."""

    topic: Text
    partition: Annotated[int, Meta(ge=0, le=2**31 - 1)]
    offset: Annotated[int, Meta(ge=0, le=2**62)]


class Rows(Struct):
    """What was found: rows of inputs, of transactions and of exceptions."""

    inputs: Sequence[RowMapping] = ()
    transactions: Sequence[RowMapping] = ()
    exceptions: Sequence[RowMapping] = ()

    @property
    def more(self) -> bool:
        """Whether there is more than is shown."""
        return any(
            len(each) > SHOWN_MAX for each in (self.inputs, self.transactions, self.exceptions)
        )


def trace(
    connection: Connection, plants: Plants, query: TraceAsked, now: int, rules: Rules
) -> dict[str, Any]:
    """Return all that is called so, as the first kind that fits, and which others would."""
    text = query.q.strip()
    if query.plant is not None:
        plants = frozenset({query.plant} if plants is None else plants & {query.plant})
    found = finding.find(connection, plants, text)
    there = [each.kind for each in found]
    kind = query.kind or next((each for each in there), None)
    rows = Rows() if kind is None else rows_of(connection, plants, kind, text, query.source, rules)
    return answer(connection, plants, text, kind, found, rows, now, rules)


def event(
    connection: Connection, plants: Plants, query: EventAsked, now: int, rules: Rules
) -> dict[str, Any] | None:
    """Return the event that lies somewhere, with all that became of it."""
    place = query.topic, query.partition, query.offset
    row = one_at(connection, plants, place)
    if row is None:
        return None
    (found,) = event_traces.traces(connection, plants, [row], rules, now)
    return found | {"fresh": fresh(connection)}


def one_at(
    connection: Connection, plants: Plants, place: tuple[str, int, int]
) -> RowMapping | None:
    """Return the record of an input that lies somewhere."""
    wanted = select(*shown.EVENT_COLUMNS).where(
        finding.at_place(place), seen_besides(INPUTS.c.plant, plants)
    )
    return connection.execute(wanted).mappings().first()


def answer(
    connection: Connection,
    plants: Plants,
    text: str,
    kind: Kind | None,
    found: Sequence[Found],
    rows: Rows,
    now: int,
    rules: Rules,
) -> dict[str, Any]:
    """Return the answer about rows that were found."""
    events = event_traces.traces(connection, plants, rows.inputs[:SHOWN_MAX], rules, now)
    exceptions = [shown.exception(row, now) for row in rows.exceptions[:SHOWN_MAX]]
    transactions = shown_with_reversals(connection, rows.transactions[:SHOWN_MAX])
    names = [
        (row["source"], row["event_id"])
        for row in rows.inputs[:SHOWN_MAX]
        if row["outcome"] == "accepted" and row["source"] is not None
    ]
    doubles = double_bookings.of_names(connection, plants, names, now)
    told = meaning.Told(text, kind, events, transactions, exceptions, doubles, rows.more)
    return {
        "fresh": fresh(connection),
        "query": text,
        "kind": kind,
        "found": [
            {
                "kind": each.kind,
                "label": each.label,
                "plant": each.plant,
                "line": each.line,
                "count": each.count,
            }
            for each in found
        ],
        "events": events,
        "transactions": transactions,
        "exceptions": exceptions,
        "double_bookings": doubles,
        "more": rows.more,
        "sentence": meaning.sentences(connection, plants, told),
    }


def rows_of(
    connection: Connection,
    plants: Plants,
    kind: Kind,
    text: str,
    source: str | None,
    rules: Rules,
) -> Rows:
    """Return what is called so."""
    if kind == "posting_key":
        return _of_key(connection, plants, text, rules)
    if kind == "exception":
        return _of_exception(connection, plants, text)
    inputs = [finding.condition(kind, text)]
    if source is not None:
        inputs.append(INPUTS.c.source == source)
    rows = Rows(events_where(connection, plants, inputs))
    column: Any = {
        "event": EXCEPTIONS.c.event_id,
        "order": EXCEPTIONS.c.order_id,
        "lot": EXCEPTIONS.c.lot,
        "serial": EXCEPTIONS.c.serial,
        "item": EXCEPTIONS.c.item,
        "trace": EXCEPTIONS.c.trace,
    }[kind]
    name = finding.trace_of(text).lower() if kind == "trace" else text
    refused = [column == name]
    if source is not None:
        refused.append(EXCEPTIONS.c.source == source)
    rows.exceptions = exceptions_where(connection, plants, refused)
    if kind != "event":
        left: Any = {
            "order": TRANSACTIONS.c.order_id,
            "lot": TRANSACTIONS.c.lot,
            "serial": TRANSACTIONS.c.serial,
            "item": TRANSACTIONS.c.item,
            "trace": TRANSACTIONS.c.trace,
        }[kind]
        rows.transactions = _transactions(connection, plants, left == name)
    return rows


def events_where(
    connection: Connection, plants: Plants, conditions: Sequence[ColumnElement[bool]]
) -> Sequence[RowMapping]:
    """Return the newest events that meet conditions which an index answers, one more than shown."""
    column = INPUTS.c
    wanted = (
        select(*shown.EVENT_COLUMNS)
        .where(*conditions, seen_besides(column.plant, plants))
        .order_by(
            column.happened_at.desc(), column.topic.desc(), column.number, column.position.desc()
        )
    )
    return connection.execute(wanted.limit(SHOWN_MAX + 1)).mappings().all()


def exceptions_where(
    connection: Connection, plants: Plants, conditions: Sequence[ColumnElement[bool]]
) -> Sequence[RowMapping]:
    """Return the newest exceptions that meet conditions which an index answers."""
    column = EXCEPTIONS.c
    wanted = (
        select(*shown.EXCEPTION_COLUMNS)
        .where(*conditions, seen_besides(column.plant, plants))
        .order_by(column.raised_at.desc(), column.id.desc())
    )
    return connection.execute(wanted.limit(SHOWN_MAX + 1)).mappings().all()


def _transactions(
    connection: Connection, plants: Plants, condition: ColumnElement[bool]
) -> Sequence[RowMapping]:
    column = TRANSACTIONS.c
    wanted = (
        select(*shown.TRANSACTION_COLUMNS)
        .where(condition, seen_besides(column.plant, plants))
        .order_by(column.happened_at.desc(), column.id.desc())
    )
    return connection.execute(wanted.limit(SHOWN_MAX + 1)).mappings().all()


def _of_key(connection: Connection, plants: Plants, key: str, rules: Rules) -> Rows:
    """Return the record with a posting key, and the events that caused it."""
    left = _transactions(connection, plants, TRANSACTIONS.c.id == key)
    if left:
        return Rows(causes.events_of(connection, left[0], rules), left)
    column = SUMMARIES.c
    wanted = select(SUMMARIES).where(column.id == key, seen_besides(column.plant, plants))
    summary = connection.execute(wanted).mappings().first()
    return Rows() if summary is None else Rows(causes.summed(connection, summary, rules))


def _of_exception(connection: Connection, plants: Plants, id: str) -> Rows:
    """Return an exception, its record, and what was sent again for it."""
    place = finding.place_of(id)
    again = INPUTS.c.resent_from == id
    exceptions = exceptions_where(
        connection, plants, [or_(EXCEPTIONS.c.id == id, EXCEPTIONS.c.resent_from == id)]
    )
    its_own = [] if place is None else events_where(connection, plants, [finding.at_place(place)])
    event_ids = {row["event_id"] for row in (*exceptions, *its_own) if row["event_id"]}
    resent = (
        events_where(connection, plants, [INPUTS.c.event_id.in_(sorted(event_ids)), again])
        if event_ids
        else []
    )
    return Rows([*its_own, *resent], (), exceptions)
