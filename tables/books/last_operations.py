"""EDGE: on which operation the pieces of an order are finished: the last one that has reported.

Each operation confirms the same pieces. Good pieces of a line are those of each order's last
operation there; good pieces of an order those of its last operation anywhere. Scrap and rework
count on every operation.
"""

from collections.abc import Callable
from typing import Any, Final, Literal

from sqlalchemy import ColumnElement, Connection, FromClause, and_, func, or_, select

from tables.books.schema import OPERATIONS, SUMS

GOOD: Final = "good"

Finished = Literal["line", "order"]
"""Where pieces are finished: on the last operation of their order on a line, or anywhere."""


def finished(source: FromClause, where: Finished) -> tuple[FromClause, ColumnElement[bool]]:
    """Return `sums`, joined with last operations, and the condition that leaves finished pieces."""
    column = SUMS.c
    if where == "line":
        last: Any = OPERATIONS
        same = and_(
            last.c.plant == column.plant,
            last.c.line == column.line,
            last.c.order_id == column.order_id,
        )
    else:
        greatest = select(
            OPERATIONS.c.plant,
            OPERATIONS.c.order_id,
            func.max(OPERATIONS.c.operation).label("operation"),
        ).group_by(OPERATIONS.c.plant, OPERATIONS.c.order_id)
        last = greatest.subquery("last")
        same = and_(last.c.plant == column.plant, last.c.order_id == column.order_id)
    is_last = or_(
        column.measure != GOOD,
        last.c.operation.is_(None),
        column.operation == last.c.operation,
    )
    return source.outerjoin(last, same), is_last


def is_finished(
    connection: Connection, plant: str, where: Finished
) -> Callable[[str, dict[str, Any]], bool]:
    """Return what says of a summary's `data`, of a line, whether its good pieces are finished."""
    known: dict[tuple[str, str], str | None] = {}

    def is_last(line: str, data: dict[str, Any]) -> bool:
        order = data.get("order")
        if not isinstance(order, str):
            return True
        key = (line if where == "line" else ""), order
        if key not in known:
            column = OPERATIONS.c
            asked = select(func.max(column.operation)).where(
                column.plant == plant, column.order_id == order
            )
            if where == "line":
                asked = asked.where(column.line == line)
            known[key] = connection.execute(asked).scalar()
        return known[key] in (None, data.get("operation"))

    return is_last
