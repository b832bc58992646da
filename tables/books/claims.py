"""EDGE: claims in the books: an act is decided by the database before anything is sent.

A claim and the exception's new row are one transaction: of two people, or two desks, who act on one
exception at a moment, one gets it. The claim stays until the act is known to be on `audit.v1`.
"""

from collections.abc import Collection, Sequence
from typing import Any, Final

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, delete, or_, select, update

from streams.contract.acts import SETTLED, Act, act_bytes, act_of
from streams.contract.topics import AUDIT
from streams.log.desk import Again, Sending
from tables.books.acting import inserting
from tables.books.packed import pack, unpack
from tables.books.schema import ACTS, CLAIMS, EXCEPTIONS, OFFSETS

CLAIMS_MAX: Final = 200
"""Claims of a desk that died that are completed at a time."""


class Claim(Struct, frozen=True):
    """An act to claim, and what is sent again with it."""

    act: Act
    again: Again | None


class Left(Struct, frozen=True):
    """What a desk has left behind: `sender` is who was to write it."""

    sender: str
    acts: list[Act]
    sendings: list[Sending]


def claim(connection: Connection, claims: Sequence[Claim], sender: str, at: int) -> frozenset[str]:
    """Claim exceptions for acts; return the ids of the acts that have got theirs.

    The others lost: their exception isn't as `before` says any more, or another act on it is on its
    way. `at` in microseconds.
    """
    durable(connection)
    got = []
    for each in sorted(claims, key=lambda one: one.act.subject):  # all in one order: no deadlock
        before, after = each.act.before, each.act.after
        adding = inserting(connection, CLAIMS).values(_row(each, sender, at))
        held = connection.execute(adding.on_conflict_do_nothing().returning(CLAIMS.c.subject))
        if held.first() is None:
            continue
        moving = (
            update(EXCEPTIONS)
            .where(
                EXCEPTIONS.c.id == each.act.subject,
                EXCEPTIONS.c.version == before.version,
                EXCEPTIONS.c.status == before.status,
            )
            .values(
                status=after.status,
                version=after.version,
                assigned_to=after.assigned_to,
                fixed=after.fixed,
                changed_by=each.act.who,
                changed_at=each.act.at,
            )
        )
        if connection.execute(moving).rowcount == 1:
            got.append(each.act.id)
        else:
            connection.execute(delete(CLAIMS).where(CLAIMS.c.subject == each.act.subject))
    return frozenset(got)


def give_up(connection: Connection, acts: Sequence[Act]) -> None:
    """Let exceptions stand as before acts that couldn't be sent, and never will be."""
    durable(connection)
    for act in acts:
        gone = delete(CLAIMS).where(CLAIMS.c.id == act.id)
        if connection.execute(gone).rowcount == 0:
            continue  # it is on its topic
        before = act.before
        connection.execute(
            update(EXCEPTIONS)
            .where(
                EXCEPTIONS.c.id == act.subject,
                EXCEPTIONS.c.version == act.after.version,
                EXCEPTIONS.c.status.not_in(sorted(SETTLED)),
            )
            .values(status=before.status, assigned_to=before.assigned_to, fixed=before.fixed)
        )


def left(
    connection: Connection, sender: str, flights: Collection[str], older_than: int
) -> tuple[int, list[Left]]:
    """Return claims that nobody works on, and from where on `audit.v1` may have their acts.

    They are all that are older than a moment, and those of `sender`, who asks, but for its acts
    that are on their way (`flights`).
    """
    start = unread_from(connection)  # first: what the books take after that is behind it
    asked = (
        select(CLAIMS)
        .where(or_(CLAIMS.c.sender == sender, CLAIMS.c.at < older_than))
        .where(CLAIMS.c.id.not_in(list(flights)))
        .order_by(CLAIMS.c.at, CLAIMS.c.id)
        .limit(CLAIMS_MAX)
    )
    found: dict[str, Left] = {}
    for row in connection.execute(asked):
        act = act_of(unpack(row.act))
        assert act is not None  # `claim` has written it
        of = found.setdefault(row.sender, Left(row.sender, [], []))
        of.acts.append(act)
        of.sendings.append(Sending(act.id, act.subject, unpack(row.act), _again(row)))
    return start, list(found.values())


def done_before(connection: Connection, ids: Collection[str]) -> dict[str, int]:
    """Return which acts were done, or are being done, with the version after them."""
    found: dict[str, int] = {}
    for table, packed in ((ACTS, ACTS.c.after), (CLAIMS, CLAIMS.c.act)):
        for id, value in connection.execute(
            select(table.c.id, packed).where(table.c.id.in_(list(ids)))
        ):
            read: Any = msgspec.json.decode(unpack(value))
            after = read["data"]["after"] if table is CLAIMS else read
            found[id] = after["version"]
    return found


def unread_from(connection: Connection) -> int:
    """Return the offset of `audit.v1` before which all acts are in the books."""
    asked = select(OFFSETS.c.next_offset).where(OFFSETS.c.topic == AUDIT, OFFSETS.c.number == 0)
    return connection.execute(asked).scalar() or 0


def durable(connection: Connection) -> None:
    """Let what is written be safe when it's committed: something is sent after that."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SET LOCAL synchronous_commit TO on")


_pack_headers = msgspec.msgpack.Encoder().encode
_read_headers = msgspec.msgpack.Decoder(list[tuple[str, bytes | None]]).decode


def _row(claim: Claim, sender: str, at: int) -> dict[str, Any]:
    again = claim.again
    row = {
        "subject": claim.act.subject,
        "id": claim.act.id,
        "sender": sender,
        "at": at,
        "act": pack(act_bytes(claim.act)),
    }
    if again is None:
        return row
    return row | {
        "topic": again.topic,
        "number": again.partition,
        "key": again.key,
        "headers": pack(_pack_headers(list(again.headers))),
        "value": pack(again.value),
    }


def _again(row: Any) -> Again | None:
    if row.topic is None:
        return None
    headers = _read_headers(unpack(row.headers))
    return Again(row.topic, row.number, row.key, unpack(row.value), headers)
