"""The master data of the simulated factory: what its ERP would tell before the events come."""

from collections.abc import Iterable, Iterator
from typing import Any, Final

from agents.simulate.cells import CELLS, CHANGEOVER, CLASSES, STOPS, Cell, Component
from agents.simulate.factory import Plan
from agents.simulate.line import plant_name
from agents.simulate.orders import order_number

Told = tuple[str, str, dict[str, Any]]
"""A kind, a plant (or `*`), and the members of `data`."""

EVERYWHERE: Final = "*"

REQUIRED: Final = ("line", "item", "uom", "lot", "work_unit", "reason", "order")
"""All of it: each event of the factory names only what is known."""

UNITS: Final = {
    "kg": ("g", "1000"),
    "L": ("L", "1"),
    "m": ("mm", "1000"),
    "pcs": ("pcs", "1"),
}
"""By the unit that events name: the base unit, and how many of it one is."""

PACKED: Final = {"pcs": {"box": "500"}, "L": {"drum": "200"}}
"""By base unit: units that no event names."""

OTHER_REASONS: Final = ("BROKEN", "FAULTY_MATERIAL")

ORDERS: Final = 100
"""Orders of a line that are told: it takes more than 40 hours for them."""


def master_data(plan: Plan, orders: int = ORDERS) -> Iterator[Told]:
    """Yield all of a plan's master data, what others need first.

    `orders` are told of each line, the first ones: with more events than that the plants' `require`
    refuses them. The ids are those of the plan's run.
    """
    for item, uom, lots, backflushed in _items(CELLS):
        base, factor = UNITS[uom]
        conversions = {**PACKED.get(base, {}), **({} if base == uom else {uom: factor})}
        data: dict[str, Any] = {"item": item, "base_uom": base, "lot_control": lots}
        if conversions:
            data["conversions"] = conversions
        if backflushed:
            data["consumption"] = "erp"
        yield "item", EVERYWHERE, data
    for reason, planned in _reasons():
        yield "reason", EVERYWHERE, {"reason": reason, "planned": planned}
    for plant in range(plan.plants):
        site = plant_name(plant)
        yield "plant", site, {"require": list(REQUIRED)}
        for line in range(plan.lines):
            yield from _line(plan, plant, line, orders)


def _line(plan: Plan, plant: int, line: int, orders: int) -> Iterator[Told]:
    site, name = plant_name(plant), f"L{line + 1}"
    center = f"{plant + 1}{line + 1:02d}0"
    yield "line", site, {"line": name, "cost_center": center}
    for place, station in enumerate(CELLS[(plant + line) % len(CELLS)].stations):
        data = {"line": name, "work_unit": f"{station.name}-{line + 1:02d}"}
        if place:  # the first one's postings go to the line's cost center
            data["cost_center"] = f"{center[:-1]}{place}"
        yield "work_unit", site, data
    number = f"{plant + 1:02d}{line + 1:02d}"
    for each in range(1, orders + 1):
        yield "order", site, {"order": order_number(number, plan.run, each), "status": "released"}


def _items(cells: Iterable[Cell]) -> list[tuple[str, str, bool, bool]]:
    """Return each item, its unit, whether it is under lot control, and whether it is backflushed.

    Items in lots of many pieces are cheap: their ERP issues them by itself.
    """
    items: dict[str, tuple[str, bool, bool]] = {}
    for cell in cells:
        for variant in cell.variants:
            items[f"{cell.product}-{variant}"] = "pcs", False, False
        if cell.beside is not None:
            items[cell.beside.item] = cell.beside.uom, False, False
        for station in cell.stations:
            items[f"TL-{station.name.upper()}"] = "pcs", False, False
            for part in station.components:
                for name in _names(part, cell):
                    items[name] = part.uom, True, part.lot_pieces >= 15_000
    return [(item, *about) for item, about in items.items()]


def _names(part: Component, cell: Cell) -> list[str]:
    return [f"{part.item}-{each}" for each in cell.variants] if part.per_variant else [part.item]


def _reasons() -> list[tuple[str, bool]]:
    """Return each reason, and whether what it explains is planned."""
    reasons = dict.fromkeys(OTHER_REASONS, False)
    for cell in CELLS:
        for station in cell.stations:
            reasons |= dict.fromkeys(station.scrap_reasons, False)
    reasons |= {stop.reason: stop.planned for stop in (*STOPS, CHANGEOVER)}
    return list((reasons | dict(CLASSES)).items())
