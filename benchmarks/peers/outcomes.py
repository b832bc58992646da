"""What an event adds, and the records that leave: the same for all Python peers.

Measures are summed as integers, so they are exact whatever a framework keeps its state in:
quantities in thousandths, seconds in millionths.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

import msgspec
from events import (
    DowntimeEnded,
    DowntimeStarted,
    MaterialConsumed,
    OperationStarted,
    ProductionConfirmed,
    ScrapDeclared,
)

WINDOW_SECONDS: Final = 60
GRACE_SECONDS: Final = 30

ROWS: Final = {
    "consumption": ("order", "operation", "item", "lot", "storage", "uom"),
    "scrap": ("order", "operation", "item", "lot", "uom", "reason", "kind"),
    "downtime": ("work_unit", "reason", "planned"),
}
"""The members that make a row, by type of record."""

MEASURES: Final = {
    "consumption": (("quantity", 3),),
    "scrap": (("quantity", 3),),
    "downtime": (("seconds", 6), ("stops", 0)),
}
"""The measures of a row, with the decimal places of the integers that they are summed as."""


class Movement(NamedTuple):
    """What an event adds to a row of a line's window.

    `at` is in milliseconds since the epoch. `row` is the type and the row's members as a JSON
    array: a text, since states are keyed by it; "" if the event only says how late it is.
    """

    at: int
    row: str
    amounts: list[int]


def movement(event: MaterialConsumed | ScrapDeclared) -> Movement:
    """Return what a consumption or a scrap adds."""
    kind = "consumption" if event.__class__ is MaterialConsumed else "scrap"
    data = event.data
    members = [kind, *[getattr(data, name) for name in ROWS[kind]]]
    return Movement(micros(event.time) // 1000, _text(members), [data.quantity])


def passing(event: OperationStarted) -> Movement:
    """Return what only moves time on."""
    return Movement(micros(event.time) // 1000, "", [])


def half(event: DowntimeStarted | DowntimeEnded) -> list[Any]:
    """Return what is kept of an episode's start or end until the other one comes."""
    data = event.data
    if event.__class__ is DowntimeEnded:
        return [micros(event.time)]
    return [micros(event.time), data.work_unit, data.reason, data.planned]


def stop(one: list[Any], other: list[Any]) -> Movement:
    """Return what an episode adds, from its two halves in any order: at its end."""
    (began, *members), (end,) = (one, other) if len(other) == 1 else (other, one)
    return Movement(end // 1000, _text(["downtime", *members]), [end - began, 1])


def confirmation(event: ProductionConfirmed) -> dict[str, Any]:
    """Return the record that a confirmation leaves as."""
    data = event.data
    return {
        "type": "confirmation",
        "plant": event.plant,
        "line": event.line,
        "data": {
            "order": data.order,
            "operation": data.operation,
            "item": data.item,
            "quantity": decimal(data.quantity, 3),
            "uom": data.uom,
            "id": event.id,
        },
    }


def closed(place: str, start: int, rows: dict[str, list[int]]) -> Iterator[dict[str, Any]]:
    """Yield a record for each row of a window of `place` (plant/line); `start` is in ms."""
    plant, _, line = place.partition("/")
    began = _instant(start)
    for row, amounts in rows.items():
        kind, data = _measured(row, amounts)
        data["window_start"] = began
        yield {"type": kind, "plant": plant, "line": line, "data": data}


def late(place: str, moved: Movement) -> dict[str, Any]:
    """Return the record of what came too late for its window."""
    plant, _, line = place.partition("/")
    kind, data = _measured(moved.row, moved.amounts)
    data["of"] = kind
    return {"type": "late", "plant": plant, "line": line, "data": data}


def add(rows: dict[str, list[int]], moved: Movement) -> dict[str, list[int]]:
    """Add to the rows of a window, in place, and return them."""
    amounts = rows.get(moved.row)
    if amounts is None:
        if moved.row:
            rows[moved.row] = moved.amounts
    else:
        for place, amount in enumerate(moved.amounts):
            amounts[place] += amount
    return rows


def micros(moment: datetime) -> int:
    """Return the microseconds since the epoch; exact, as far as datetimes go."""
    return round(moment.timestamp() * 1e6)


def decimal(scaled: int, places: int) -> str:
    """Return an integer with `places` decimal places as a decimal without trailing zeros."""
    if not places:
        return str(scaled)
    whole, fraction = divmod(abs(scaled), 10**places)
    sign = "-" if scaled < 0 else ""
    return f"{sign}{whole}.{fraction:0{places}d}".rstrip("0").rstrip(".")


def _measured(row: str, amounts: Iterable[int]) -> tuple[str, dict[str, Any]]:
    kind, *members = msgspec.json.decode(row)
    data = dict(zip(ROWS[kind], members, strict=True))
    for (name, places), amount in zip(MEASURES[kind], amounts, strict=True):
        data[name] = decimal(amount, places)
    return kind, data


def _text(members: list[Any]) -> str:
    return msgspec.json.encode(members).decode()


def _instant(ms: int) -> str:
    return f"{datetime.fromtimestamp(ms // 1000, UTC):%Y-%m-%dT%H:%M:%SZ}"
