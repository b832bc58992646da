"""Books with what a test says: summaries (with their sums), lines, master data, flows."""

import itertools
import json
import zlib
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Engine, insert, select, update

from streams.values import instant
from tables.books import schema
from tables.books.amounts import split

QUARTER = 900 * instant.SECOND
MINUTE = 60 * instant.SECOND
COLUMNS = (
    "operation",
    "item",
    "lot",
    "storage",
    "uom",
    "reason",
    "kind",
    "planned",
    "work_unit",
    "state",
)
MEASURES = {
    "summary.production.v1": ("good", "scrap", "rework"),
    "summary.consumption.v1": ("quantity",),
    "summary.scrap.v1": ("quantity",),
    "summary.downtime.v1": ("seconds", "stops"),
    "summary.availability.v1": ("down", "planned_down"),
    "summary.machine.v1": ("good", "scrap"),
    "summary.machine_state.v1": ("seconds",),
}
_count = itertools.count()


def at(text: str) -> int:
    return instant.parse(text)


def packed(value: Any) -> bytes:
    return zlib.compress(json.dumps(value).encode())


class Filled:
    """Adds rows to books, one transaction each."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def line(
        self, plant: str, line: str, closed_to: str | None, begun: str | None = "2026-01-01T00:00:00Z",
        **more: Any,
    ) -> None:  # fmt: skip
        """Add a line whose summaries go from one instant to another; the first says nothing."""
        row = {
            "plant": plant,
            "line": line,
            "closed_to": None if closed_to is None else at(closed_to),
        }
        with self.engine.begin() as connection:
            connection.execute(insert(schema.LINES).values(row | more))
            if begun is not None:
                self._add(
                    connection, "summary.scrap.v1", at(begun), plant, line, "", {}, "count", "0"
                )

    def summary(
        self, type_: str, start: str | int, plant: str = "DE01", line: str = "L3", revision: int = 0,
        lasts: int = 60, **data: Any,
    ) -> None:  # fmt: skip
        begin = at(start) if isinstance(start, str) else start
        measures = {name: str(data[name]) for name in MEASURES[type_] if name in data}
        row = {
            name: value
            for name, value in data.items()
            if name not in measures and value is not None
        }
        document = {
            "type": type_, "plant": plant, "line": line,
            "data": {
                **row, **measures, "window_start": instant.text(begin),
                "window_end": instant.text(begin + lasts * instant.SECOND), "revision": revision,
            },
        }  # fmt: skip
        text = "|".join(str(value) for value in row.values())
        with self.engine.begin() as connection:
            connection.execute(
                insert(schema.SUMMARIES).values(
                    id=f"{next(_count)}", day=begin // instant.DAY, type=type_, plant=plant, line=line,
                    window_start=begin, window_end=begin + lasts * instant.SECOND, revision=revision,
                    written_at=begin, order_id=row.get("order"), item=row.get("item"),
                    work_unit=row.get("work_unit"), value=packed(document),
                )
            )  # fmt: skip
            for measure, value in measures.items():
                self._add(connection, type_, begin, plant, line, text, row, measure, value)

    def _add(
        self, connection: Connection, type_: str, begin: int, plant: str, line: str, text: str,
        row: Mapping[str, Any], measure: str, value: str,
    ) -> None:  # fmt: skip
        whole, nano = split(Decimal(value))
        key = {
            "plant": plant, "line": line, "type": type_, "quarter": begin // QUARTER * QUARTER,
            "row": text, "measure": measure,
        }  # fmt: skip
        where = [schema.SUMS.c[name] == given for name, given in key.items()]
        if connection.execute(select(schema.SUMS.c.whole).where(*where)).first() is None:
            columns = {name: row.get(name) for name in COLUMNS} | {"order_id": row.get("order")}
            connection.execute(insert(schema.SUMS).values(key | columns | {"whole": 0, "nano": 0}))
        connection.execute(
            update(schema.SUMS)
            .where(*where)
            .values(whole=schema.SUMS.c.whole + whole, nano=schema.SUMS.c.nano + nano)
        )

    def made(
        self,
        start: str | int,
        line: str = "L3",
        order: str = "1000123",
        uom: str = "pc",
        operation: str = "0010",
        item: str = "P-7",
        **measures: Any,
    ) -> None:
        self.summary(
            "summary.production.v1",
            start,
            line=line,
            order=order,
            operation=operation,
            item=item,
            uom=uom,
            **measures,
        )

    def reference(self, kind: str, plant: str, *parts: str, **data: Any) -> None:
        name = "/".join(parts)
        with self.engine.begin() as connection:
            connection.execute(
                insert(schema.REFERENCES).values(
                    key=f"{kind}|{plant}|{name}", kind=kind, plant=plant, name=name, deleted=False,
                    position=0, value=packed({"type": f"reference.{kind}.v1", "data": data}),
                )
            )  # fmt: skip

    def work_unit(self, line: str, unit: str, plant: str = "DE01", **data: Any) -> None:
        self.reference("work_unit", plant, line, unit, line=line, work_unit=unit, **data)

    def zone(self, name: str, plant: str = "DE01") -> None:
        self.reference(
            "rules",
            plant,
            "2020-01-01T00:00:00Z",
            valid_from="2020-01-01T00:00:00Z",
            time_zone=name,
        )

    def shifts(
        self, *shifts: Mapping[str, Any], plant: str = "DE01", id: str = "week", **more: Any
    ) -> None:
        self.reference("shift_calendar", plant, id, id=id, shifts=list(shifts), **more)

    def rows(self, table: Any, *rows: Mapping[str, Any]) -> None:
        with self.engine.begin() as connection:
            connection.execute(insert(table), list(rows))


def stop(
    fill: Filled, start: str, reason: str, planned: bool, unit: str = "PRESS-1", **measures: Any
) -> None:
    fill.summary(
        "summary.downtime.v1", start, work_unit=unit, reason=reason, planned=planned, **measures
    )


def worked(fill: Filled) -> None:
    """Six hours of the shift from 06:00 to 14:00, of which 5:58 are complete; a piece takes 60 s."""
    fill.shifts({"name": "early", "start": "06:00", "end": "14:00"})
    fill.work_unit("L3", "PRESS-1", ideal_seconds="60")
    fill.work_unit("L3", "OVEN", ideal_seconds="20")


def flow(outcome: str, records: int, lag: int = 0, **more: Any) -> dict[str, Any]:
    return {
        "quarter": at("2026-11-21T06:00:00Z"),
        "topic": "mes.events.v1",
        "plant": "DE01",
        "line": "L3",
        "source": "/mes",
        "outcome": outcome,
        "records": records,
        "lag": lag,
        "lag_max": lag,
    } | more


def refused(number: int, **more: Any) -> dict[str, Any]:
    return {
        "id": f"mes.events.v1/0/{number}",
        "class": "data",
        "code": "invalid",
        "reason": "x",
        "raised_at": at("2026-11-21T06:01:00Z"),
        "plant": "DE01",
        "line": "L3",
        "topic": "mes.events.v1",
        "number": 0,
        "position": number,
        "source": "/mes",
        "status": "open",
        "version": 0,
        "headers": b"",
        "cut": False,
    } | more
