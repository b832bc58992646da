"""EDGE: rows of the books as the items of answers: events, transactions, exceptions, acts."""

from typing import Any, Final

from sqlalchemy import RowMapping

from streams.values.instant import SECOND
from tables.books import amounts
from tables.books.fresh import OPEN, told
from tables.books.schema import ACTS, EXCEPTIONS, INPUTS, TRANSACTIONS
from tables.books.stored import data_of, document

SERVICE_SECONDS: Final = {"technical": 3_600, "data": 8 * 3_600, "business": 24 * 3_600}
"""An exception is to be settled so long after it was raised, by its class."""

EVENT_COLUMNS: Final = tuple(column for column in INPUTS.c if column.name != "day")

TRANSACTION_COLUMNS: Final = tuple(
    column for column in TRANSACTIONS.c if column.name not in ("day", "subject", "trace")
)

EXCEPTION_COLUMNS: Final = tuple(
    column
    for column in EXCEPTIONS.c
    if column.name not in ("headers", "value", "key", "changed_by", "changed_at", "trace")
)

ACT_COLUMNS: Final = tuple(ACTS.c)


def event(row: RowMapping, data: bool = True) -> dict[str, Any]:
    """Return an event of an input; `data` as it came, decimals as text."""
    return {
        "topic": row["topic"],
        "partition": row["number"],
        "offset": row["position"],
        "arrived_at": told(row["arrived_at"]),
        "outcome": row["outcome"],
        "type": row["type"],
        "plant": row["plant"],
        "line": row["line"],
        "source": row["source"],
        "id": row["event_id"],
        "time": told(row["happened_at"]),
        "order": row["order_id"],
        "operation": row["operation"],
        "item": row["item"],
        "lot": row["lot"],
        "serial": row["serial"],
        "work_unit": row["work_unit"],
        "trace": row["trace"],
        "resent_from": row["resent_from"],
        "data": (data_of(row["value"]) or None) if data else None,
    }


def transaction(row: RowMapping, reversed_by: str | None = None) -> dict[str, Any]:
    """Return a record that left for the ERP."""
    data = data_of(row["value"])
    amount = None if row["whole"] is None else amounts.text(row["whole"], row["nano"] or 0)
    return {
        "id": row["id"],
        "type": row["type"],
        "plant": row["plant"],
        "line": row["line"],
        "time": told(row["happened_at"]),
        "written_at": told(row["written_at"]),
        "window_start": told(row["window_start"]),
        "window_end": told(row["window_end"]),
        "revision": row["revision"],
        "posting_date": row["posting_date"],
        "document_date": data.get("document_date"),
        "order": row["order_id"],
        "operation": row["operation"],
        "item": row["item"],
        "lot": row["lot"],
        "serial": row["serial"],
        "work_unit": row["work_unit"],
        "measure": row["measure"],
        "value": amount,
        "uom": row["uom"],
        "reverses": row["reverses"],
        "reversed_by": reversed_by,
        "causes": list(data.get("causes") or []),
        "cause_count": data.get("cause_count", 0),
        "state": "emitted",
    }


def due(row: RowMapping) -> int:
    """Return by when an exception is to be settled, in microseconds."""
    seconds = SERVICE_SECONDS.get(row["class"], SERVICE_SECONDS["data"])
    return int(row["raised_at"]) + seconds * SECOND


def exception(row: RowMapping, now: int) -> dict[str, Any]:
    """Return an exception as a row of the list."""
    settled = row["status"] not in OPEN
    return {
        "id": row["id"],
        "class": row["class"],
        "code": row["code"],
        "reason": row["reason"],
        "raised_at": told(row["raised_at"]),
        "age_seconds": max(0, now - row["raised_at"]) // SECOND,
        "due_at": told(due(row)),
        "overdue": not settled and now > due(row),
        "plant": row["plant"],
        "line": row["line"],
        "type": row["type"],
        "source": row["source"],
        "event_id": row["event_id"],
        "time": told(row["happened_at"]),
        "order": row["order_id"],
        "item": row["item"],
        "lot": row["lot"],
        "serial": row["serial"],
        "status": row["status"],
        "assigned_to": row["assigned_to"],
        "version": row["version"],
        "resent_from": row["resent_from"],
        "fixed": row["fixed"] is not None,
    }


def act(row: RowMapping) -> dict[str, Any]:
    """Return who did what to which exception."""
    return {
        "id": row["id"],
        "at": told(row["at"]),
        "who": row["who"],
        "act": row["act"],
        "subject": row["subject"],
        "plant": row["plant"],
        "line": row["line"],
        "why": row["why"],
        "batch": row["batch"],
        "before": document(row["before"]),
        "after": document(row["after"]),
    }
