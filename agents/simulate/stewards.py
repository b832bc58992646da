"""What the ERP, QMS and stewards of the simulated factory say: all on `erp.master.v1`."""

from collections.abc import Iterator
from typing import Any, Final

import msgspec

from agents.simulate.cells import CELLS, CHANGEOVER, CLASSES, STOPS, Cell
from agents.simulate.mess import Arrival
from streams.contract.topics import ERP_MASTER
from streams.values import instant

MINUTE: Final = 60_000_000

ANYWHERE: Final = "*"

ZONES: Final = {"DE": "Europe/Berlin", "PL": "Europe/Warsaw", "MX": "America/Mexico_City",
                "US": "America/Chicago", "CN": "Asia/Shanghai"}  # fmt: skip

UNITS: Final = {"kg": {"g": "0.001", "t": "1000"}, "L": {"mL": "0.001"}, "m": {"mm": "0.001"}}
"""What else an item is counted in, by its base unit."""

BACKFLUSHED: Final = "RM-COOLANT"
"""The ERP itself takes it from stock: what is consumed of it goes to the summary only."""

SHIFTS: Final = (
    ("early", "06:00", "14:00"),
    ("late", "14:00", "22:00"),
    ("night", "22:00", "06:00"),
)
"""Name, begin and end in the plant's time; its lines work around the clock."""

LATE_ITEM: Final = "RM-WIRE-SG2"
LATE_AT: Final = 6 * MINUTE
"""The ERP tells of this item so long after the start: until then its events are refused."""

HOLD: Final = "H-COIL"
HELD_ITEM: Final = "RM-COIL-DC04"
HOLD_AT: Final = 3 * MINUTE
RELEASE_AT: Final = 12 * MINUTE
"""The first plant's QMS holds an item, and releases it."""

RULES_AT: Final = 2 * MINUTE
"""A steward lets the first plant post consumption by the quarter hour from the next midnight on."""


def said(plants: dict[str, list[Cell]], start: int) -> Iterator[Arrival]:
    """Yield what is said of plants with such lines, in the order of `at`.

    A plant's own record comes last: so nothing is required before it is known.
    """
    for number, (at, source, (kind, plant, data)) in enumerate(_timed(plants, start), 1):
        value = {
            "specversion": "1.0", "type": f"reference.{kind}.v1", "source": source,
            "id": f"master-{number}", "time": instant.text(start + at), "plant": plant,
            "data": data,
        }  # fmt: skip
        yield Arrival(start + at, msgspec.json.encode(value), ERP_MASTER, None)


Said = tuple[str, str, dict[str, Any]]
"""Kind, plant and data of a record."""


def _timed(plants: dict[str, list[Cell]], start: int) -> Iterator[tuple[int, str, Said]]:
    """Yield what is said, how long after the start, and by whom."""
    first = next(iter(plants))
    for each in _known(plants):
        yield 0, "/erp", each
    yield RULES_AT, "/steward", ("rules", first, _rules(first, start))
    placed = {"hold": HOLD, "scope": "item", "value": HELD_ITEM, "reason": "NO_CERTIFICATE"}
    yield HOLD_AT, "/qms", ("hold", first, placed)
    yield LATE_AT, "/erp", ("item", ANYWHERE, _item(LATE_ITEM, "kg"))
    yield RELEASE_AT, "/qms", ("hold_release", first, {"hold": HOLD, "disposition": "use"})


def _known(plants: dict[str, list[Cell]]) -> Iterator[Said]:
    """Yield what is known from the start, in an order in which each needs only those before."""
    for item, uom in sorted(_items().items()):
        if item != LATE_ITEM:
            yield "item", ANYWHERE, _item(item, uom)
    for reason, planned in sorted(_reasons().items()):
        yield "reason", ANYWHERE, {"reason": reason, "planned": planned}
    for plant, cells in plants.items():
        yield "shift_calendar", plant, {"id": plant, "shifts": _shifts()}
        for number, cell in enumerate(cells, 1):
            line = f"L{number}"
            yield "line", plant, {"line": line, "cost_center": f"{plant}-{number:02d}"}
            for station in cell.stations:
                unit = f"{station.name}-{number:02d}"
                center = f"{plant}-{station.name.upper()}"
                data = {"line": line, "work_unit": unit, "cost_center": center}
                yield "work_unit", plant, {**data, "ideal_seconds": str(cell.cycle / 1000)}
        yield "plant", plant, {"require": ["line", "item", "uom", "work_unit", "reason"]}


def _shifts() -> list[dict[str, str]]:
    return [{"name": name, "start": start, "end": end} for name, start, end in SHIFTS]


def _items() -> dict[str, str]:
    """Return all items that lines name, with their base units."""
    found: dict[str, str] = {}
    for cell in CELLS:
        found |= {f"{cell.product}-{variant}": "pcs" for variant in cell.variants}
        if cell.beside is not None:
            found[cell.beside.item] = cell.beside.uom
        for station in cell.stations:
            found[f"TL-{station.name.upper()}"] = "pcs"
            for part in station.components:
                variants = [f"-{one}" for one in cell.variants] if part.per_variant else [""]
                found |= {f"{part.item}{variant}": part.uom for variant in variants}
    return found


def _item(item: str, uom: str) -> dict[str, Any]:
    conversions = {"conversions": UNITS[uom]} if uom in UNITS else {}
    return {
        "item": item, "base_uom": uom, **conversions,
        "consumption": "erp" if item == BACKFLUSHED else "mes",
    }  # fmt: skip


def _reasons() -> dict[str, bool]:
    """Return all reasons for stops, scrap and rework, and whether such a stop is planned."""
    found = {"FAULTY_MATERIAL": False, "BROKEN": False, **dict(CLASSES)}
    found |= {stop.reason: stop.planned for stop in (*STOPS, CHANGEOVER)}
    for cell in CELLS:
        for station in cell.stations:
            found |= dict.fromkeys(station.scrap_reasons, False)
    return found


def _rules(plant: str, start: int) -> dict[str, Any]:
    return {
        "valid_from": instant.text(start + RULES_AT),
        "time_zone": ZONES[plant[:2]],
        "transactions": {"erp.goods_issue.v1": {"when": "window", "window_seconds": 900}},
    }
