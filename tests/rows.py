"""The contract's windowed rows (section 4), and sums over them: of what came in, left, is open."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any

import msgspec

from oracle_v2.tables import POSTED, WINDOWED
from runs import Taken, value_of
from streams.log.record import Outgoing
from tables.line.kept import Kept
from tables.partition.parking import AT_BYTES
from tables.partition.partition import Partition
from tables.partition.released import PARKED

Row = tuple[str, str, str, tuple[Any, ...], str]
"""(plant, line, record type, row, measure)"""

ROWS: dict[str, str] = {each.type: " ".join(each.row) for each in WINDOWED.values()}
"""The contract's rows (section 4), in the order of closing (section 12)."""

LASTING = ("summary.downtime.v1", "summary.availability.v1", "summary.machine_state.v1")
"""What stops and states last is no sum of members."""

SUMMED: dict[str, list[tuple[str, str, str]]] = {
    "production.confirmed.v1": [("su", "good", "quantity")],
    "material.consumed.v1": [("sc", "quantity", "quantity")],
    "scrap.declared.v1": [("ss", "quantity", "quantity"), ("su", "scrap", "quantity")],
    "rework.declared.v1": [("su", "rework", "quantity")],
    "machine.count.v1": [("sm", "good", "good"), ("sm", "scrap", "scrap")],
}
"""Section 4, column "summary": input type -> (record, its measure, the input's member)."""


def _measures() -> dict[str, list[tuple[str, str, str]]]:
    found: dict[str, list[tuple[str, str, str]]] = {}
    for kind, short in POSTED.items():
        (measure,) = WINDOWED[short].measures
        found[kind] = [(WINDOWED[short].type, measure, measure)]
    for kind, fed in SUMMED.items():
        told = [(WINDOWED[short].type, measure, member) for short, measure, member in fed]
        found[kind] = found.get(kind, []) + told
    return found


MEASURES = _measures()
"""Input type -> (record type, its measure, the input's member)."""


def accepted(seen: Iterable[Taken]) -> Counter[Row]:
    """Sum the accepted events up per row, from the input's JSON alone; stops and states aside."""
    sums: Counter[Row] = Counter()
    for taken in seen:
        if taken.outcome != "accepted":
            continue
        given = _read(taken.record.value)
        told, sign = given, 1
        if given["type"] == "transaction.reversed.v1":
            told, sign = given["data"]["original"], -1
        _add(sums, given, told, sign)
    return sums


def _add(
    sums: Counter[Row], event: dict[str, Any], told: dict[str, Any], sign: int, erp: bool = False
) -> None:
    """Add an event of this line, as it is `told`, to its rows; of the ERP only if `erp`."""
    data = {"product": "main"} | {n: v for n, v in told["data"].items() if v is not None}
    for kind, measure, member in MEASURES.get(told["type"], []):
        if measure == "scrap" and data.get("kind", "operation") != "operation":
            continue
        if erp and not kind.startswith("erp."):
            continue
        row = tuple(data.get(name) for name in ROWS[kind].split())
        where = event["plant"], event["line"], kind, row, measure
        sums[where] += sign * Decimal(str(data[member]))


def emitted(left: Iterable[Outgoing]) -> Counter[Row]:
    """Sum what left per row: revisions add up, a reversal takes its record away."""
    sums: Counter[Row] = Counter()
    posted: dict[str, dict[str, Any]] = {}
    for output in left:
        record, sign = value_of(output), 1
        if record["type"] == "erp.reversal.v1":
            if record["data"]["reverses"].startswith("mn:"):
                continue
            record, sign = posted[record["data"]["reverses"]], -1
        posted[record["id"]] = record
        kind, data = record["type"], record["data"]
        if kind not in ROWS or kind in LASTING:
            continue
        row = tuple(data.get(name) for name in ROWS[kind].split())
        for measure in {measure for fed in MEASURES.values() for k, measure, _ in fed if k == kind}:
            sums[record["plant"], record["line"], kind, row, measure] += sign * Decimal(
                data[measure]
            )
    return sums


def still_open(task: Partition) -> Counter[Row]:
    """Sum up per row what hasn't left: open windows, finals that wait, and what is parked."""
    sums: Counter[Row] = Counter()
    for line in task.lines.values():
        for kind, carried in zip(task.rules.kinds, line.windows, strict=True):
            for rows in carried.values() if not kind.episodic else ():
                for (_, row), sums_ in rows.items():
                    for measure, sum_ in zip(kind.measures, sums_.measures, strict=True):
                        sums[line.plant, line.line, kind.record, row, measure] += _decimal(sum_)
    for waiting in kept(task):
        event = _read(waiting.value)
        _add(sums, event, event, 1, erp=True)
    return sums


def kept(task: Partition) -> Iterator[Kept]:
    """Yield the events that were accepted and wait: finals, and what holds keep from the ERP."""
    for line in task.lines.values():
        for waiting in line.finals.values():
            yield from waiting.values()
    for key, stored in task.store.scan(PARKED):
        if key not in task.parking.changed:
            yield msgspec.msgpack.decode(stored[AT_BYTES:], type=Kept)
    for key, changed in task.parking.changed.items():
        if changed is not None and key.startswith(PARKED):
            yield msgspec.msgpack.decode(changed[AT_BYTES:], type=Kept)


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
