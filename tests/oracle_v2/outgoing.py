"""What every outgoing record has: envelope, dates, what master data adds (sections 4, 11)."""

from typing import Any

from .calendars import local_date
from .line import Line
from .tables import ERP, MEASURES
from .values import ONE, decimal_text, measure_text

REVERSAL_TYPE = "erp.reversal.v1"
BASE_MAX = 10**18


def send(line: Line, type_: str, id_: str, time: int, data: dict[str, Any]) -> None:
    """ "Every outgoing record is a CloudEvent with `source` `/lineside`, `plant` and `line`; its
    `id` is its posting key"; "A summary goes to the topic of its type's name"."""
    topic = ERP if type_.startswith("erp.") else type_
    more = enrichment(line, type_, data) if topic == ERP else {}
    told = {name: measure_text(v) if name in MEASURES else v for name, v in data.items()}
    line.task.send(topic, line, type_, id_, time, told | more)


def common(
    line: Line, causes: list[str], cause_count: int, time: int, carried_by: int | None
) -> dict[str, Any]:
    """Section 4: `document_date` is the date of `time`, `posting_date` the same or, of what is late,
    the date of what carries it; "Both in the zone of the rules that hold for" that time."""
    zone = line.calendar.at(time).zone
    return {
        "causes": causes,
        "cause_count": cause_count,
        "document_date": local_date(zone, time).isoformat(),
        "posting_date": local_date(zone, time if carried_by is None else carried_by).isoformat(),
    }


def carried_at_once(line: Line, time: int) -> int | None:
    """ "of a record at once whose event's, or a notification whose own, `time` is before the
    furthest that watermark - grace has been, the watermark"."""
    assert line.furthest is not None
    return line.watermark if time < line.furthest else None


def enrichment(line: Line, type_: str, data: dict[str, Any]) -> dict[str, Any]:
    """Section 11, "from what is known when it leaves"; "What isn't known is absent"."""
    known, plant = line.task.known, line.plant
    more: dict[str, Any] = {}
    own = known.get("line", plant, line.line) or {}
    center = own.get("cost_center")
    if type_ == REVERSAL_TYPE:  # "A reversal gets the line's `cost_center` only"
        return {"cost_center": center} if center is not None else {}
    if "work_unit" in data:
        named = known.get("work_unit", plant, line.line, data["work_unit"]) or {}
        center = named.get("cost_center", center)
    if center is not None:
        more["cost_center"] = center
    item = known.item_or_reason("item", plant, data["item"]) if "item" in data else None
    if item is None or "quantity" not in data or "uom" not in data:
        return more
    factor = (
        ONE if data["uom"] == item["base_uom"] else item.get("conversions", {}).get(data["uom"])
    )
    if factor is not None and abs(size := data["quantity"] * factor) < BASE_MAX * ONE * ONE:
        more["base_uom"] = item["base_uom"]
        more["base_quantity"] = decimal_text(size, 18)
    return more
