"""The contract's windowed rows (section 4), and sums over them: of what came in, left, is open."""

import json
from collections import Counter
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import reference
from runs import Taken, value_of
from streams.log.record import Outgoing
from tables.partition.partition import Partition

Row = tuple[str, str, str, tuple[Any, ...], str]
"""(plant, line, record type, row, measure)"""

AT_ONCE: dict[str, tuple[str, str]] = {
    "production.confirmed.v1": (
        "erp.production_confirmation.v1",
        "order operation item lot uom",
    ),
    "goods.received.v1": ("erp.goods_receipt.v1", "order item lot storage uom product"),
}
"""The two that the contract posts at once and another policy by window: record type and row."""

ROWS: dict[str, str] = dict(AT_ONCE.values()) | {
    windowed.type: " ".join(windowed.row) for windowed in reference.WINDOWED
}
"""The contract's rows (section 4), in the order of closing."""

ROWS["erp.labor_confirmation.v1"] = "order operation work_unit activity"


ABSENT = {"product": "main"}
"""What an absent member is read as."""


def _measures(type_: str) -> list[tuple[str, str, str]]:
    """Return what an event type feeds: the reference is asked with names in place of values."""
    names = {name: name for name in reference.TYPES[type_][1]} | {"kind": "operation"}
    fed = [(AT_ONCE[type_][0], "quantity", "quantity")] if type_ in AT_ONCE else []
    for short, measures in reference.contributions(type_, names):
        record = reference.WINDOWED[reference.INDEX[short]].type
        fed += [(record, measure, str(member)) for measure, member in measures.items()]
    return fed


MEASURES = {type_: fed for type_ in reference.TYPES if (fed := _measures(type_))}
"""Input type -> (record type, its measure, the input's member)."""


def accepted(seen: Iterable[Taken]) -> Counter[Row]:
    """Sum the accepted events up per row, from the input's JSON alone; downtime aside."""
    sums: Counter[Row] = Counter()
    for taken in seen:
        if taken.outcome != "accepted":
            continue
        given = _read(taken.record.value)
        told, sign = given, 1
        if given["type"] == "transaction.reversed.v1":
            told, sign = given["data"]["original"], -1
        data = told["data"]
        for kind, measure, member in MEASURES.get(told["type"], []):
            if measure == "scrap" and data.get("kind", "operation") != "operation":
                continue
            row = tuple(data.get(name) or ABSENT.get(name) for name in ROWS[kind].split())
            where = given["plant"], given["line"], kind, row, measure
            sums[where] += sign * Decimal(str(data[member]))
    return sums


def emitted(left: Iterable[Outgoing]) -> Counter[Row]:
    """Sum what left per row: revisions add up, a reversal takes its record away."""
    sums: Counter[Row] = Counter()
    for output in left:
        record, sign = value_of(output), 1
        if record["type"] == "erp.reversal.v1":
            if record["data"]["reverses"].startswith("mn:"):
                continue
            record, sign = record | {"type": record["data"]["reversed_type"]}, -1
        kind, data = record["type"], record["data"]
        if kind not in ROWS or kind == "summary.downtime.v1":
            continue
        row = tuple(data.get(name) or ABSENT.get(name) for name in ROWS[kind].split())
        for measure in {measure for fed in MEASURES.values() for k, measure, _ in fed if k == kind}:
            sums[record["plant"], record["line"], kind, row, measure] += sign * Decimal(
                data[measure]
            )
    return sums


def still_open(task: Partition) -> Counter[Row]:
    """Sum the open windows up per row."""
    sums: Counter[Row] = Counter()
    for line in task.lines.values():
        for kind, carried in zip(task.rules.kinds, line.windows, strict=True):
            for rows in carried.values() if not kind.episodic else ():
                for (_, row), sums_ in rows.items():
                    for measure, sum_ in zip(kind.measures, sums_.measures, strict=True):
                        sums[line.plant, line.line, kind.record, row, measure] += _decimal(sum_)
    return sums


def _decimal(billionths: int) -> Decimal:
    return Decimal(billionths) / 10**9


def total(*parts: Counter[Any]) -> dict[Any, Any]:
    """Add counters up (`+` of theirs would drop what is negative), without the zeros."""
    sums: Counter[Any] = Counter()
    for part in parts:
        sums.update(part)
    return {row: sum_ for row, sum_ in sums.items() if sum_}


def _read(value: bytes | None) -> dict[str, Any]:
    document = json.loads(value or b"", parse_float=Decimal, parse_int=Decimal)
    assert isinstance(document, dict)
    return document
