"""Figures as the desk's API tells them: of a line, of key figures, of shifts and of health."""

from datetime import timedelta
from typing import Any

from stand_in_plant import (
    EVENTS,
    FRESH,
    LINES,
    NOW,
    POSTED,
    Row,
    at,
    exceptions,
    hold,
    made,
    order_row,
    transaction,
)

STATES = ("running", "unplanned_stop", "running", "planned_stop", "running")


def line_page(one: Row, start: str | None = None, end: str | None = None) -> Row:
    """Return GET /lines/PLANT/LINE; the rates have a gap of an hour."""
    bounds = [260, 210, 190, 120, 100, 0]
    rates = [
        {"at": quarter(step), **made(str(70 + step % 5 * 3), str(step % 4))}
        for step in range(17)
        if not 6 <= step < 10
    ]
    return one | {
        "fresh": FRESH, "from": start or at(260), "to": end or at(),
        "units": [{"work_unit": unit, "state": "Execute", "since": at(100), "reason": None} for unit in ("press-07", "robot-2")],
        "timeline": [{"work_unit": unit, "from": at(bounds[n]), "to": at(bounds[n + 1]) if n < 4 else None, "state": state,
                      "planned": {"planned_stop": True, "unplanned_stop": False}.get(state),
                      "reason": {"planned_stop": "changeover", "unplanned_stop": "jam"}.get(state)}
                     for unit in ("press-07", "robot-2") for n, state in enumerate(STATES)],
        "pareto": [{"reason": "jam", "planned": False, "seconds": "1200", "stops": 4},
                   {"reason": "changeover", "planned": True, "seconds": "1200", "stops": 1}],
        "rates": rates,
        "open_windows": [{"type": "erp.goods_issue.v1", "window_start": at(3), "window_end": at(-2),
                          "accepted": [{"measure": "quantity", "uom": "kg", "value": "12.5"}]}],
        "exceptions": exceptions()[:2], "holds": [hold()],
    }  # fmt: skip


def quarter(step: int) -> str:
    start = NOW.replace(hour=5, minute=0) + timedelta(minutes=15 * step)
    return start.strftime("%Y-%m-%dT%H:%M:%SZ")


def order_page(order: str) -> Row:
    """Return GET /orders/PLANT/ORDER."""
    step = {
        "operation": "0010",
        "made": [made("320", "6")],
        "started_at": at(300),
        "completed_at": None,
        "final_at": None,
    }
    events = [{name: one[name] for name in one if name in EVENT_MEMBERS} for one in EVENTS]
    return order_row(order) | {
        "fresh": FRESH, "operations": [step, step | {"operation": "0020", "completed_at": at(20), "made": [made("300")]}],
        "consumption": [{"item": "M-100", "uom": "kg", "quantity": "12.500"}], "transactions": [POSTED], "events": events,
        "exceptions": exceptions()[:1], "reference": {"order": order, "status": "released", "quantity": "500", "uom": "pc"},
    }  # fmt: skip


EVENT_MEMBERS = frozenset(EVENTS[0]) - {
    "checks", "became", "waits_for", "duplicates", "reversed_by", "reverses", "summaries",
}  # fmt: skip


def event_of(one: Row) -> Row:
    """Return a traced event as a plain one."""
    return {name: one[name] for name in EVENT_MEMBERS}


def ratio(numerator: str, denominator: str) -> Row:
    share = (
        None
        if float(denominator) == 0
        else f"{100 * float(numerator) / float(denominator):.4f}".rstrip("0").rstrip(".")
    )
    return {"numerator": numerator, "denominator": denominator, "value": share, "unit": "%"}


def figure(day: int, name: str, good: int = 900) -> Row:
    """Return an item of GET /kpis."""
    start = NOW.replace(hour=5, minute=0) - timedelta(days=day)
    kpis = {"availability": ratio("25200", "28800"), "effectiveness": ratio("23000", "25200"),
            "quality_ratio": ratio(str(good), "1000"), "oee": ratio(str(18000 + day * day * 150 + good), "28800"),
            "scrap_ratio": ratio("20", "1000"), "rework_ratio": ratio("0", "0")}  # fmt: skip
    rated = made(str(good), "20") | {
        name: kpis[name] for name in ("quality_ratio", "scrap_ratio", "rework_ratio")
    }
    return {
        "from": start.strftime("%Y-%m-%dT%H:%M:%SZ"), "to": (start + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "date": start.strftime("%Y-%m-%d"), "shift": None, "plant": "DE01", "line": name, "work_unit": None, "order": None, "item": None,
        "complete": day > 0, "kpis": kpis, "made": [rated], "down_seconds": "3600", "planned_down_seconds": "1800", "busy_seconds": "28800",
    }  # fmt: skip


def kpis() -> Row:
    """Return GET /kpis by day and line."""
    items = [
        figure(day, name, good)
        for name, good in (("L1", 900), ("L3", 980))
        for day in range(6, -1, -1)
    ]
    return {
        "fresh": FRESH,
        "zone": "Europe/Berlin",
        "period": {"from": items[0]["from"], "to": at()},
        "problems": [],
        "items": items,
    }


def report(plant: str, date: str, shift: str | None) -> Row:
    """Return GET /reports/shift, or /reports/day where there's no shift."""
    hours = {"early": (5, 8), "late": (13, 8), "night": (21, 8)}.get(shift or "", (5, 24))
    start = NOW.fromisoformat(f"{date}T00:00:00+00:00") + timedelta(hours=hours[0])
    bounds = {
        "from": start.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "to": (start + timedelta(hours=hours[1])).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    complete = date < "2026-11-26"
    rows = [
        {
            "plant": plant,
            "line": name,
            "work_unit": None,
            "order": None,
            "item": None,
            "date": date,
            "shift": shift,
            **bounds,
            "complete": complete,
            "uom": "pc",
            "good": good,
            "scrap": "20",
            "rework": "0",
            "quality_ratio": "97.8495",
            "scrap_ratio": "2.1505",
            "rework_ratio": "0",
            "availability": "87.5",
            "effectiveness": "91.2698",
            "oee": "78.1439",
            "busy_seconds": "28800",
            "down_seconds": down,
            "planned_down_seconds": "1800",
        }
        for name, good, down in (
            ("L1", "910", "1260"),
            ("L2", "655", "7920"),
            ("L3", "1240", "1620"),
        )
    ]
    kpis = {
        "availability": ratio("75600", "86400"),
        "effectiveness": ratio("69000", "75600"),
        "quality_ratio": ratio("2805", "2865"),
        "oee": ratio("67555", "86400"),
        "scrap_ratio": ratio("60", "2865"),
        "rework_ratio": ratio("0", "2865"),
    }
    return {
        "title": f"{shift or 'day'} {plant} {date}", "zone": "Europe/Berlin", **bounds, "complete": complete, "problems": [], "rows": rows,
        "totals": {"made": [made("2805", "60")], "kpis": kpis, "busy_seconds": "86400", "down_seconds": "10800", "planned_down_seconds": "5400"},
        "pareto": PARETO,
    }  # fmt: skip


PARETO = [
    {"plant": "DE01", "work_unit": "press-07", "reason": "tool-broken", "planned": False, "seconds": "7200", "stops": 2,
     "share": ratio("7200", "16200")},
    {"plant": "DE01", "work_unit": "mixer-1", "reason": "changeover", "planned": True, "seconds": "5400", "stops": 3,
     "share": ratio("5400", "16200")},
    {"plant": "DE01", "work_unit": "robot-2", "reason": "jam", "planned": False, "seconds": "3600", "stops": 9,
     "share": ratio("3600", "16200")},
]  # fmt: skip


CALENDAR = {
    "kind": "shift_calendar", "plant": "DE01", "id": "three", "source": "/erp", "said_at": at(9000), "deleted": False,
    "data": {"id": "three", "shifts": [{"name": "early", "start": "06:00", "end": "14:00"},
                                       {"name": "late", "start": "14:00", "end": "22:00"},
                                       {"name": "night", "start": "22:00", "end": "06:00"}]},
}  # fmt: skip
ITEM = CALENDAR | {"kind": "item", "id": "M-100", "data": {"item": "M-100", "base_uom": "kg"}}


def health() -> Row:
    """Return GET /health."""
    worker = {"url": "http://worker-0:8080", "reachable": True, "name": "worker-0", "partitions": 4, "of": 8, "lag": 12,
              "rate": 1043.25, "open_windows": 17, "conservation_error": "0"}  # fmt: skip
    return {
        "status": "ok", "database": {"kind": "postgresql", "version": "16.4", "bytes": 48_318_382_080, "reachable": True},
        "topics": [{"topic": "mes.events.v1", "partition": n, "next_offset": 70_000 + n, "end": 70_012 + n, "processed": 70_010 + n, "behind": 10}
                   for n in range(4)],
        "workers": [worker, worker | {"url": "http://worker-1:8080", "name": "worker-1", "rate": 998.0}],
        "desks": [{"name": "desk-0", "partitions": 8}], "at": at(),
    }  # fmt: skip


INTEGRATION = {
    "plant": "DE01", "source": "/DE01/mes", "records": 120431, "accepted": 120200, "duplicates": 210, "exceptions": 21, "conflicts": 2,
    "duplicate_rate": ratio("210", "120431"), "exception_rate": ratio("21", "120431"), "conflict_rate": ratio("2", "120431"),
    "completeness": ratio("120410", "120431"), "parked": 2, "open_exceptions": 20,
    "latency": {"source_to_topic_ms": 340, "source_to_topic_max_ms": 84_000, "topic_to_posting_ms": 61_000},
}  # fmt: skip


def figures(path: str) -> Row:
    """Return GET /kpis/PATH."""
    wip = {
        "plant": "DE01",
        "order": "4711",
        "operation": None,
        "line": None,
        "uom": "pc",
        "quantity": "20",
    }
    bounds = {"from": at(1440), "to": at()}
    if path == "schedule":
        return {"fresh": FRESH, **SCHEDULE}
    items: dict[str, list[dict[str, Any]]] = {
        "pareto": PARETO, "consumption": [{**bounds, "shift": None, "plant": "DE01", "item": "M-100", "lot": "LOT7", "uom": "kg", "quantity": "812.5"}],
        "wip": [wip], "integration": [INTEGRATION], "late": [LATE],
    }  # fmt: skip
    more: Row = {"by": "order"} if path == "wip" else {}
    if path in ("pareto", "consumption", "integration"):
        more = {"period": bounds}
    return {"fresh": FRESH, "items": items[path], **more}


LATE = {
    "plant": "DE01", "line": "L2", "shift": "early", "from": at(260), "to": at(), "late_seconds": "1980", "why": "machine",
    "evidence": [{"why": "machine", "what": "press-07: tool-broken", "seconds": "1980", "count": None},
                 {"why": "quality", "what": "pieces of scrap", "seconds": None, "count": 31}],
}  # fmt: skip
ATTAINED = {
    "plant": "DE01",
    "uom": "pc",
    **ratio("4980", "5000"),
    "orders": 10,
    "orders_in_full": ratio("9", "10"),
}
SCHEDULE = {
    "attainment": [ATTAINED], "progress": [ATTAINED | ratio("320", "500") | {"orders": 1}],
    "ageing": [{"plant": "DE01", "open": 3, "not_started": 1, "buckets": {"1d": 2, "3d": 0, "7d": 0, "30d": 0, "older": 0},
                "oldest": [{"order": "4711", "status": "released", "item": "M-100", "first_at": at(1500), "age_seconds": 90_000, "uom": "pc",
                            "done": "320", "progress": ratio("320", "500")}]}],
    "throughput": [{"plant": "DE01", "orders": {"1d": 2, "7d": 10}, "made": [{"uom": "pc", "1d": "900", "7d": "4980"}]}],
}  # fmt: skip


def transactions() -> list[Row]:
    """Return some records for the ERP."""
    return [POSTED, transaction("gi:DE01/L3:1795240800:4711|0010|M-100|LOT7||kg:0", "erp.goods_issue.v1", value="812.5", uom="kg",
                                window_start=at(60), window_end=at(55), revision=0)]  # fmt: skip


def lines() -> dict[str, Row]:
    """Return the lines by plant and name."""
    return {f"{one['plant']}/{one['line']}": one for one in LINES}
