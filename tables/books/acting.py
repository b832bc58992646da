"""EDGE: acts of people, as `audit.v1` has them, applied to the exceptions of the books.

The act with the greatest version says how an exception stands; that it was accepted or refused
again says the log, and no act changes it. So it doesn't matter in which order topics are read.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any, Final, NamedTuple, TypeVar

from sqlalchemy import Connection, Table, bindparam, case, delete, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from streams.contract.acts import SETTLED, Act, Standing, act_of, standing_json, standing_of
from tables.books.packed import pack, unpack
from tables.books.schema import ACTS, CLAIMS, EXCEPTIONS

TOGETHER_MAX: Final = 500
"""Rows of one statement: SQLite takes 32,766 parameters."""

KEY_CHARACTERS_MAX: Final = 500
"""Of an id and of a name, which are in indexes."""

_REFUSED: Final = re.compile("[\x00\ud800-\udfff]")


class Moved(NamedTuple):
    """How an exception stands after an act, and whose it was."""

    subject: str
    who: str
    at: int
    after: Standing


def take_acts(connection: Connection, values: Iterable[bytes | None]) -> int:
    """Take up records of `audit.v1`, in their order; return how many acts were new.

    What is no act is passed over.
    """
    acts = [act for value in values if (act := act_of(value)) is not None]
    return store_acts(connection, acts)


def store_acts(connection: Connection, acts: Sequence[Act]) -> int:
    """Note acts that are on `audit.v1`, and move their exceptions on; return how many were new."""
    new = 0
    for part in parts(acts):
        once = {_key(act.id): act for act in part}
        rows = list(map(_row, once.values()))
        adding = inserting(connection, ACTS).values(rows).on_conflict_do_nothing()
        added = set(connection.execute(adding.returning(ACTS.c.id)).scalars())
        new += len(added)
        connection.execute(delete(CLAIMS).where(CLAIMS.c.id.in_(once)))
        move(
            connection,
            [Moved(a.subject, a.who, a.at, a.after) for id, a in once.items() if id in added],
        )
    return new


def recall_acts(connection: Connection, ids: Collection[str]) -> None:
    """Apply the acts that came before their exceptions, which are new in the books."""
    for part in parts(list(ids)):
        asked = select(ACTS.c.subject, ACTS.c.who, ACTS.c.at, ACTS.c.after)
        found = connection.execute(asked.where(ACTS.c.subject.in_(part)))
        move(
            connection,
            [Moved(of, who, at, standing_of(unpack(after))) for of, who, at, after in found],
        )


def last_standings(connection: Connection, ids: Sequence[str]) -> dict[str, Standing]:
    """Return how exceptions stand after their last acts; those without acts aren't there."""
    found: dict[str, Standing] = {}
    asked = select(ACTS.c.subject, ACTS.c.after).where(ACTS.c.subject.in_(ids))
    for subject, after in connection.execute(asked):
        standing = standing_of(unpack(after))
        if subject not in found or found[subject].version < standing.version:
            found[subject] = standing
    return found


def move(connection: Connection, moved: Iterable[Moved]) -> None:
    """Let exceptions stand as after the last of these acts; older acts than theirs do nothing."""
    last: dict[str, Moved] = {}
    for each in moved:
        if each.subject not in last or last[each.subject].after.version < each.after.version:
            last[each.subject] = each
    if last:
        in_order = [last[subject] for subject in sorted(last)]
        connection.execute(_MOVE, list(map(_parameters, in_order)))


T = TypeVar("T")


def parts(whole: Sequence[T]) -> Iterator[Sequence[T]]:
    """Yield a sequence in parts that one statement takes."""
    for start in range(0, len(whole), TOGETHER_MAX):
        yield whole[start : start + TOGETHER_MAX]


def inserting(connection: Connection, table: Table) -> Any:
    """Return an INSERT into a table that may say what is to be done on a conflict."""
    made = postgresql if connection.dialect.name == "postgresql" else sqlite
    return made.insert(table)


_MOVE: Final = (
    update(EXCEPTIONS)
    .where(EXCEPTIONS.c.id == bindparam("of"), EXCEPTIONS.c.version <= bindparam("most"))
    .values(
        status=case(
            (or_(*(EXCEPTIONS.c.status == each for each in sorted(SETTLED))), EXCEPTIONS.c.status),
            else_=bindparam("stands"),
        ),
        version=bindparam("most"),
        assigned_to=bindparam("whose"),
        fixed=bindparam("sent"),
        changed_by=bindparam("by"),
        changed_at=bindparam("then"),
    )
)


def _parameters(moved: Moved) -> dict[str, Any]:
    after = moved.after
    return {
        "of": _key(moved.subject),
        "most": after.version,
        "stands": after.status,
        "whose": _cleaned(after.assigned_to),
        "sent": _cleaned(after.fixed),
        "by": _cleaned(moved.who),
        "then": moved.at,
    }


def _row(act: Act) -> dict[str, Any]:
    return {
        "id": _key(act.id),
        "at": act.at,
        "who": _key(act.who),
        "act": act.act,
        "subject": _key(act.subject),
        "plant": _cleaned(act.plant),
        "line": _cleaned(act.line),
        "why": _cleaned(act.why),
        "batch": _cleaned(act.batch),
        "before": pack(standing_json(act.before)),
        "after": pack(standing_json(act.after)),
    }


def _key(text: str) -> str:
    """Return a text as an index takes it: what the desk writes is shorter."""
    return (_cleaned(text) or "")[:KEY_CHARACTERS_MAX]


def _cleaned(text: str | None) -> str | None:
    """Return a text without what PostgreSQL and UTF-8 don't have."""
    return None if text is None else _REFUSED.sub("\ufffd", text)
