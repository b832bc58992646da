"""Small logs for the tests of this reading: events by a few words, and what left by its short."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import Any

from .replay import replay

DAY = "2026-11-21"
"""A Saturday; 2026-11-21T00:00:00Z is 1795219200."""

MIDNIGHT = 1_795_219_200

MADE = {"order": "O1", "operation": "10", "item": "FG", "quantity": "1", "uom": "pc"}
USED = {"order": "O1", "operation": "10", "item": "RM", "quantity": "1", "uom": "kg"}

Maker = Callable[..., dict[str, Any]]


def at(clock: str) -> str:
    """`06:05` is of the day of these tests; what has a T is a whole time already."""
    if "T" in clock:
        return clock
    return f"{DAY}T{clock}:00Z" if clock.count(":") == 1 else f"{DAY}T{clock}Z"


def event(
    type_: str,
    usual: dict[str, Any],
    id_: str,
    time: str,
    line: str = "L1",
    plant: str = "P",
    **data: Any,
) -> dict[str, Any]:
    """Return an event; a member that is given as None is left out."""
    members = {**usual, **data}
    return {
        "specversion": "1.0",
        "type": f"{type_}.v1",
        "source": "/mes",
        "id": id_,
        "time": at(time),
        "plant": plant,
        "line": line,
        "data": {name: value for name, value in members.items() if value is not None},
    }


confirmed: Maker = partial(event, "production.confirmed", MADE)
received: Maker = partial(
    event, "goods.received", {k: v for k, v in MADE.items() if k != "operation"}
)
consumed: Maker = partial(event, "material.consumed", USED)
scrapped: Maker = partial(event, "scrap.declared", {**MADE, "reason": "burr", "kind": "operation"})
reworked: Maker = partial(event, "rework.declared", {**MADE, "reason": "burr"})
booked: Maker = partial(event, "labor.booked", {"order": "O1", "operation": "10", "seconds": 60})
begun: Maker = partial(event, "operation.started", {"order": "O1", "operation": "10"})
stopped: Maker = partial(
    event, "downtime.started", {"work_unit": "W", "reason": "jam", "planned": False}
)
resumed: Maker = partial(event, "downtime.ended", {"work_unit": "W"})
classified: Maker = partial(event, "downtime.classified", {"reason": "cleaning", "planned": True})
placed: Maker = partial(event, "quality.hold_placed", {"scope": "lot", "value": "A", "reason": "r"})
released: Maker = partial(event, "quality.hold_released", {"disposition": "use"})
state: Maker = partial(event, "machine.state", {"work_unit": "W"})


def reversed_(id_: str, time: str, original: dict[str, Any], /, **changed: Any) -> dict[str, Any]:
    told = {name: original[name] for name in ("type", "time", "data")} | changed
    return event(
        "transaction.reversed",
        {},
        id_,
        time,
        original["line"],
        original["plant"],
        reverses=original["id"],
        original=told,
    )


def tick(time: str) -> dict[str, Any]:
    return {"type": "clock.tick.v1", "time": at(time)}


def known(kind: str, plant: str = "P", seq: int | None = None, /, **data: Any) -> dict[str, Any]:
    """Return a reference record."""
    record = {"type": f"reference.{kind}.v1", "source": "/lineside", "plant": plant, "data": data}
    return record if seq is None else {**record, "seq": seq}


@dataclass
class Outcome:
    """What left, and the report."""

    topics: dict[str, list[dict[str, Any]]]
    report: dict[str, Any]

    @property
    def erp(self) -> list[dict[str, Any]]:
        return self.topics.get("erp.transactions.v1", [])

    @property
    def ids(self) -> list[str]:
        """The posting keys on the ERP's topic, in order."""
        return [record["id"] for record in self.erp]

    @property
    def codes(self) -> list[str]:
        return [record["data"]["code"] for record in self.topics.get("exceptions.v1", [])]

    @property
    def reasons(self) -> list[str]:
        return [record["data"]["reason"] for record in self.topics.get("exceptions.v1", [])]

    def of(self, short: str) -> list[dict[str, Any]]:
        """Return the records whose posting keys begin so, wherever they left."""
        every = [record for topic in self.topics.values() for record in topic]
        return [record for record in every if record["id"].startswith(f"{short}:")]

    def rows(self, short: str, *names: str) -> list[tuple[Any, ...]]:
        """Return members of the data of such records, in order."""
        return [tuple(record["data"].get(name) for name in names) for record in self.of(short)]

    def total(self, short: str, measure: str) -> Decimal:
        return sum((Decimal(record["data"][measure]) for record in self.of(short)), Decimal(0))


def run(
    *events: dict[str, Any] | bytes, close: bool = False, partitions: int = 1, **settings: Any
) -> Outcome:
    """Replay, and hold law 1 in any case."""
    lines = [told if isinstance(told, bytes) else json.dumps(told).encode() for told in events]
    result = replay(lines, partitions, close, settings)
    conservation = result.report["conservation"]
    assert conservation["error"] == "0"
    assert not any(told["error"] for told in conservation["singles"])
    return Outcome(result.topics, result.report)


def changed(event: dict[str, Any], **attributes: Any) -> dict[str, Any]:
    told = {**event, **attributes}
    return {name: value for name, value in told.items() if value is not None}


def code(event: dict[str, Any] | bytes, *before: dict[str, Any]) -> str:
    """Return what becomes of an event: the code of its exception, or `accepted`."""
    outcome = run(*before, event)
    return (outcome.codes or ["accepted"])[-1]


def printed(
    event: dict[str, Any] | str,
    topic: str = "mes.events.v1",
    ts: int | None = None,
    key: str | None = "P/L1",
    headers: list[str] | None = None,
    **more: Any,
) -> dict[str, Any]:
    """Return a record as `kcat -J` prints it."""
    payload = event if isinstance(event, str) else json.dumps(event)
    record = {"topic": topic, "partition": 0, "offset": 7, "ts": ts, "key": key}
    return {**record, "payload": payload, "headers": headers or [], **more}


def reason(told: dict[str, Any], *records: dict[str, Any]) -> str:
    """Return code and first word of the reason, or `accepted`."""
    outcome = run(*records, told)
    if not outcome.codes:
        return "accepted"
    return f"{outcome.codes[-1]} {outcome.reasons[-1].partition(':')[0]}"


BERLIN: dict[str, Any] = {"time_zones": {"P": "Europe/Berlin"}}
HOURLY = {"erp.goods_issue.v1": {"when": "hour"}}
DAILY = {"erp.goods_issue.v1": {"when": "day"}}


def rules(
    valid_from: str, transactions: dict[str, Any] | None = None, **more: Any
) -> dict[str, Any]:
    return known("rules", valid_from=valid_from, transactions=transactions or HOURLY, **more)


def windows(outcome: Outcome) -> list[tuple[str, str]]:
    """Return begin and end of the windows of goods issues, without their seconds."""
    rows = outcome.rows("gi", "window_start", "window_end")
    return [(start[:16], end[:16]) for start, end in rows]
