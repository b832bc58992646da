"""What the books have to hold, worked out from the topics alone, and what differs from that.

It shares nothing with lineside's own reading of records: plain JSON, `Decimal` and dictionaries.
"""

import json
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import Engine, select

from streams.contract.topics import (
    ERP_TRANSACTIONS,
    EXCEPTIONS,
    INPUTS,
    OUTPUTS,
)
from tables.books import schema

NOT_KEPT: Final = ("clock.tick.v1", "reference.", "machine.telemetry.v1")
"""Types of inputs that are counted, and have no row."""

MEASURES: Final = ("quantity", "seconds")
QUARTER: Final = 900 * 1_000_000
SHOWN_MAX: Final = 5
"""Differences of one kind that are told one by one."""

Value = tuple[int, bytes | None]
"""(offset, value) of a record, in the order of its partition."""

Topics = Mapping[tuple[str, int], list[Value]]
"""By topic and partition."""


@dataclass
class Expected:
    """What has to be in the books."""

    outcomes: dict[tuple[str, int, int], str] = field(default_factory=dict)
    transactions: dict[str, bytes] = field(default_factory=dict)
    summaries: dict[str, bytes] = field(default_factory=dict)
    exceptions: set[str] = field(default_factory=set)
    posted: dict[tuple[str, ...], Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    sums: dict[tuple[Any, ...], Decimal] = field(default_factory=lambda: defaultdict(Decimal))


def expected_of(topics: Topics) -> Expected:
    """Return what has to be in the books of these topics, all read from their starts."""
    made = Expected()
    for (topic, _), values in topics.items():
        for _, value in values:
            if topic == EXCEPTIONS:
                made.exceptions.add(json.loads(value or b"")["id"])
            elif topic == ERP_TRANSACTIONS:
                _add_transaction(made, value or b"")
            elif topic in OUTPUTS:
                _add_summary(made, value or b"")
    for (topic, number), values in topics.items():
        if topic in INPUTS:
            _add_inputs(made, topic, number, values)
    return made


def _add_transaction(made: Expected, value: bytes) -> None:
    event = json.loads(value)
    if event["id"] in made.transactions:
        return
    made.transactions[event["id"]] = value
    data = event["data"]
    measure = next((name for name in MEASURES if name in data), "")
    type_ = data["reversed_type"] if "reversed_type" in data else event["type"]
    sign = -1 if "reversed_type" in data else 1
    at = event["plant"], event["line"], data["posting_date"], type_, measure, data.get("uom", "")
    made.posted[at] += sign * Decimal(data[measure]) if measure else Decimal(0)


def _add_summary(made: Expected, value: bytes) -> None:
    event = json.loads(value)
    if event["id"] in made.summaries:
        return
    made.summaries[event["id"]] = value
    start = _microseconds(event["data"]["window_start"])
    row = event["id"].split(":")[3]
    for name in MEASURED[event["type"]]:
        if name in event["data"]:
            at = event["plant"], event["line"], event["type"], start // QUARTER * QUARTER, row, name
            made.sums[at] += Decimal(event["data"][name])


MEASURED: Final = {
    "summary.consumption.v1": ("quantity", "count"),
    "summary.scrap.v1": ("quantity", "count"),
    "summary.production.v1": ("good", "scrap", "rework", "count"),
    "summary.downtime.v1": ("seconds", "stops"),
    "summary.availability.v1": ("down", "planned_down"),
    "summary.machine.v1": ("good", "scrap", "count"),
    "summary.machine_state.v1": ("seconds",),
}


def _add_inputs(made: Expected, topic: str, number: int, values: Iterable[Value]) -> None:
    known: set[tuple[str, ...]] = set()
    for offset, value in values:
        refused = f"{topic}/{number}/{offset}" in made.exceptions
        try:
            event = json.loads((value or b"").removeprefix(b"\xef\xbb\xbf"))
            type_ = str(event.get("type"))
        except (ValueError, AttributeError):
            event, type_ = {}, ""
        if not refused and type_.startswith(NOT_KEPT):
            continue
        outcome = "refused"
        if not refused:
            identity = tuple(event[name] for name in ("plant", "line", "source", "id"))
            outcome = "duplicate" if identity in known else "accepted"
            known.add(identity)
        made.outcomes[topic, number, offset] = outcome


def _microseconds(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1e6)


def differences(engine: Engine, made: Expected) -> list[str]:
    """Return what of the books isn't as it has to be, a few of each kind, with how many there are."""
    with engine.connect() as connection:
        rows = connection.execute
        inputs = schema.INPUTS.c
        found = {
            (row.topic, row.number, row.position): row.outcome
            for row in rows(select(inputs.topic, inputs.number, inputs.position, inputs.outcome))
        }
        told = _apart("inputs", _without_refused_ticks(found, made.outcomes), made.outcomes)
        for name, table, wanted in (
            ("transactions", schema.TRANSACTIONS, made.transactions),
            ("summaries", schema.SUMMARIES, made.summaries),
        ):
            there = rows(select(table.c.id, table.c.value)).all()
            twice = [each for each, count in Counter(row.id for row in there).items() if count > 1]
            told += [f"{name}: {each} is there twice" for each in twice[:SHOWN_MAX]]
            values = {row.id: zlib.decompress(row.value) for row in there}
            told += _apart(name, values, wanted)
        ids = {row.id: "" for row in rows(select(schema.EXCEPTIONS.c.id))}
        told += _apart("exceptions", ids, dict.fromkeys(made.exceptions, ""))
        posted = schema.POSTED.c
        told += _apart(
            "posted",
            {
                (row.plant, row.line, row.posting_date, row.type, row.measure, row.uom): _decimal(
                    row
                )
                for row in rows(select(*posted))
            },
            made.posted,
        )
        told += _apart(
            "sums",
            _without_zeros(
                {
                    (row.plant, row.line, row.type, row.quarter, row.row, row.measure): _decimal(
                        row
                    )
                    for row in rows(select(*schema.SUMS.c))
                }
            ),
            _without_zeros(made.sums),
        )
    return told


def _without_refused_ticks(found: dict[Any, Any], wanted: Mapping[Any, Any]) -> dict[Any, Any]:
    """Return the rows of inputs; a refused tick or reference record may have one or not."""
    return {at: outcome for at, outcome in found.items() if at in wanted or outcome != "refused"}


def _without_zeros(sums: Mapping[Any, Decimal]) -> dict[Any, Decimal]:
    """Return sums but those of 0, which needn't have a row."""
    return {at: amount for at, amount in sums.items() if amount}


def _decimal(row: Any) -> Decimal:
    return Decimal(row.whole) + Decimal(row.nano).scaleb(-9)


def _apart(name: str, found: Mapping[Any, Any], wanted: Mapping[Any, Any]) -> list[str]:
    lost = [at for at in wanted if at not in found]
    extra = [at for at in found if at not in wanted]
    other = [at for at in wanted if at in found and found[at] != wanted[at]]
    return [
        *(f"{name}: {len(those):,} {what}, e.g. {those[:SHOWN_MAX]}" for what, those in
          (("missing", lost), ("too many", extra), ("different", other)) if those),
    ]  # fmt: skip
