"""EDGE: exceptions as those who act on them need them: how they stand, and the original whole."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from msgspec import Struct
from sqlalchemy import ColumnElement, Connection, Select, func, select

from streams.contract.acts import Standing, Status
from streams.contract.refused import ExceptionHeader
from streams.log.lineage import Header
from tables.books.acting import last_standings
from tables.books.packed import unpack
from tables.books.plants import Plants, seen
from tables.books.schema import EXCEPTIONS, INPUTS, LINES, REFERENCES

TECHNICAL: Final = "technical"
"""The class of what a machine may simply try again."""

EARLIER_MAX: Final = 20
"""Events that the outcome of another one may depend on: of one id, one episode."""


class Subject(Struct, frozen=True):
    """An exception that somebody acts on, with the record that was refused."""

    id: str
    kind: str
    """Its class."""
    code: str
    plant: str | None
    line: str | None
    topic: str
    partition: int
    stands: Standing
    key: bytes | None
    value: bytes
    headers: list[Header]
    cut: bool
    """Whether a part of the record isn't there."""
    raised_at: int
    resent_from: str | None


_read_headers = msgspec.json.Decoder(list[ExceptionHeader]).decode


def subjects(connection: Connection, ids: Sequence[str], plants: Plants) -> dict[str, Subject]:
    """Return exceptions by id, those of these plants only."""
    return _subjects(connection, EXCEPTIONS.c.id.in_(list(ids)), plants, len(ids))


def to_try_again(connection: Connection, begin: int, end: int, most: int) -> list[Subject]:
    """Return open exceptions of class technical raised from `begin` to `end`, the oldest first."""
    asked = (
        (EXCEPTIONS.c.status == "open")
        & EXCEPTIONS.c.raised_at.between(begin, end)
        & (EXCEPTIONS.c["class"] == TECHNICAL)
    )
    return list(_subjects(connection, asked, None, most).values())


def tries_of(connection: Connection, subject: Subject, most: int) -> int:
    """Return how often an event was sent again before this exception, `most` if it's more."""
    tries, of = 0, subject.resent_from
    while of is not None and tries < most:
        asked = select(EXCEPTIONS.c.resent_from).where(EXCEPTIONS.c.id == of)
        row = connection.execute(asked).first()
        tries, of = tries + 1, None if row is None else row.resent_from
    return tries


def _subjects(
    connection: Connection, asked: ColumnElement[bool], plants: Plants, most: int
) -> dict[str, Subject]:
    rows = connection.execute(
        select(EXCEPTIONS)
        .where(asked, seen(EXCEPTIONS.c.plant, plants))
        .order_by(EXCEPTIONS.c.raised_at, EXCEPTIONS.c.id)
        .limit(most)
    ).all()
    last = last_standings(connection, [row.id for row in rows])
    return {row.id: _subject(row, last.get(row.id)) for row in rows}


def _subject(row: Any, last: Standing | None) -> Subject:
    status: Status = row.status
    stands = Standing(
        status=status,
        version=row.version,
        assigned_to=row.assigned_to,
        fixed=row.fixed,
        key=None if last is None else last.key,
        asked_by=None if last is None else last.asked_by,
    )
    headers = [each.read() for each in _read_headers(unpack(row.headers))]
    return Subject(
        id=row.id,
        kind=row._mapping["class"],
        code=row.code,
        plant=row.plant,
        line=row.line,
        topic=row.topic,
        partition=row.number,
        stands=stands,
        key=None if row.key is None else row.key.encode(),
        value=b"" if row.value is None else unpack(row.value),
        headers=headers,
        cut=bool(row.cut),
        raised_at=row.raised_at,
        resent_from=row.resent_from,
    )


class Asked(Struct, frozen=True):
    """An event whose outcome is asked for: what has to be looked up."""

    topic: str
    plant: str
    line: str
    source: str
    id: str
    reverses: str | None = None
    episode: str | None = None
    keys: tuple[str, ...] = ()
    """In `reference.v1`, of what it names."""


class Around(Struct, frozen=True):
    """What the books know that the outcome of an event depends on."""

    earlier: list[bytes]
    """Accepted events in the order of their times: CloudEvents."""
    watermark: int | None
    """Of the line, at least."""
    known: list[tuple[bytes, bytes]]
    """Records of `reference.v1`: key and value."""


def around(connection: Connection, asked: Asked) -> Around:
    """Return what the outcome of an event depends on."""
    names = [asked.id, *([] if asked.reverses is None else [asked.reverses])]
    about: list[ColumnElement[bool]] = [
        INPUTS.c.event_id.in_(names) & (INPUTS.c.source == asked.source)
    ]
    if asked.reverses is not None:
        about.append((INPUTS.c.subject == asked.reverses) & (INPUTS.c.source == asked.source))
    if asked.episode is not None:
        about.append(INPUTS.c.subject == asked.episode)
    found: dict[Any, tuple[int, bytes]] = {}
    for each in about:
        for row in connection.execute(_accepted(asked, each)):
            found[row.topic, row.number, row.position] = row.happened_at, row.value
    in_time = sorted(found.values(), key=lambda one: one[0])
    earlier = [unpack(value) for _, value in in_time[-EARLIER_MAX:]]
    line = connection.execute(
        select(LINES).where(LINES.c.plant == asked.plant, LINES.c.line == asked.line)
    ).first()
    return Around(
        earlier=earlier,
        watermark=None if line is None else _watermark(line, asked.topic),
        known=known(connection, asked.keys),
    )


def _accepted(asked: Asked, about: ColumnElement[bool]) -> Select[Any]:
    """Return the query for events of the line that were accepted.

    What is asked `about` has an index. The line has one, too, with all its events in it: it mustn't
    be taken, so the line's columns are compared as expressions.
    """
    return (
        select(INPUTS)
        .where(
            about,
            func.coalesce(INPUTS.c.plant, "") == asked.plant,
            func.coalesce(INPUTS.c.line, "") == asked.line,
            func.coalesce(INPUTS.c.topic, "") == asked.topic,
            INPUTS.c.outcome == "accepted",
            INPUTS.c.value.is_not(None),
            INPUTS.c.happened_at.is_not(None),
        )
        .order_by(INPUTS.c.happened_at.desc())
        .limit(EARLIER_MAX)
    )


def _watermark(line: Any, topic: str) -> int | None:
    own = line.machine_at if topic.startswith("machine.") else line.mes_at
    return own if isinstance(own, int) else None


def known(connection: Connection, keys: Sequence[str]) -> list[tuple[bytes, bytes]]:
    """Return records of `reference.v1`, key and value, in their order."""
    asked = (
        select(REFERENCES.c.key, REFERENCES.c.value)
        .where(REFERENCES.c.key.in_(list(keys)), REFERENCES.c.deleted.is_(False))
        .order_by(REFERENCES.c.position)
    )
    return [(row.key.encode(), unpack(row.value)) for row in connection.execute(asked)]
