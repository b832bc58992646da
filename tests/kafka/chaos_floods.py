"""Floods of events beside the load: valid ones without end, refused ones, and the same ones again."""

import itertools
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any, Final

from chaos_job import Chaos, now_ms
from streams.contract.topics import MES_EVENTS
from streams.log.record import partition_of

BEFORE: Final = datetime(2025, 12, 1, tzinfo=UTC)
"""A month before the load's first event: a flood's ticks make nothing of the load late."""

APART: Final = timedelta(days=2)
"""From one flood of a case to the next: no window and no line of one is another's."""

WIDE_CHARS: Final = 256
"""The most that a text may have; of four bytes each."""

ROWS: Final = 3_000
"""Of one window, and of 6.4 KB each: 19 MB, where a write of 16 MiB once was too large."""

WORK_UNITS: Final = 250
MINUTES: Final = 1_400
"""Of a line that was cut off for a day: each work unit has counted once a minute."""

LINES: Final = 160_000

EXCEPTIONS: Final = 40_000

DUPLICATES: Final = 200_000

TICKS: Final = 3
"""After the lines: the first one closes all of their windows."""


def flood_rows(chaos: Chaos) -> None:
    """3,000 valid events of 6.4 KB in one window, a row of its own each."""
    for number in chaos.faults():
        since = now_ms()
        chaos.put(_rows(number, chaos.scaled(ROWS)))
        chaos.get_through(since)


def flood_backlog(chaos: Chaos) -> None:
    """A line's backlog of a day: 350,000 valid counts of 250 work units, late all of them."""
    for number in chaos.faults():
        since = now_ms()
        chaos.put(_backlog(number, WORK_UNITS, chaos.scaled(MINUTES)))
        chaos.get_through(since)


def flood_lines(chaos: Chaos) -> None:
    """160,000 lines in one partition, of one event each, and then ticks: each touches all of them."""
    for number in chaos.faults():
        since = now_ms()
        chaos.put(_lines(number, chaos.scaled(LINES), chaos.job.partitions))
        for minute in range(TICKS):
            chaos.put([tick(BEFORE + APART * number + timedelta(minutes=10 + minute))])
        chaos.get_through(since)


def flood_exceptions(chaos: Chaos) -> None:
    """40,000 records that are refused, for four reasons."""
    for number in chaos.faults():
        since = now_ms()
        chaos.put(_refused(number, chaos.scaled(EXCEPTIONS)))
        chaos.get_through(since)


def flood_duplicates(chaos: Chaos) -> None:
    """The same event, 200,000 times."""
    for number in chaos.faults():
        since = now_ms()
        chaos.put([_receipt(number, "SAME", "same")] * chaos.scaled(DUPLICATES))
        chaos.get_through(since)


def _rows(number: int, count: int) -> Iterator[bytes]:
    for each in range(count):
        data = {
            "order": _wide(f"o{each}"), "operation": _wide("p"), "item": _wide("i"),
            "lot": _wide("l"), "storage": _wide("s"), "quantity": "1", "uom": _wide("u"),
        }  # fmt: skip
        yield event("material.consumed.v1", f"r{each}", _at(number), "ROWS", data)


def _backlog(number: int, units: int, minutes: int) -> Iterator[bytes]:
    fresh = _at(number) + timedelta(minutes=minutes)

    def count(id: str, unit: int, at: datetime) -> bytes:
        data = {
            "work_unit": f"FLOOD-CAVITY-{unit:04}", "good": 12, "scrap": 1,
            "order": "000001000123", "item": "FG-100-200-A",
        }  # fmt: skip
        return event("machine.count.v1", f"{number}-{id}", at, "BACKLOG", data)

    yield count("fresh", 0, fresh)
    for minute in range(minutes - 1):
        for unit in range(units):
            yield count(f"{minute}-{unit}", unit, _at(number) + timedelta(minutes=minute))


def _lines(number: int, count: int, partitions: int) -> Iterator[bytes]:
    """Yield an event for each of so many lines, all of one partition."""
    names = (f"ORDER-{number}-{each:07}" for each in itertools.count())
    alike = (name for name in names if not partition_of(f"FLOOD/{name}".encode(), partitions))
    for name in islice(alike, count):
        yield _receipt(number, name, "e")


def _refused(number: int, count: int) -> Iterator[bytes]:
    for each in range(count):
        good = _receipt(number, "REFUSED", f"x{each}")
        yield [
            good.replace(b'"goods.received.v1"', b'"goods.mislaid.v1"'),
            good.replace(b'"quantity":"1"', b'"quantity":"one"'),
            _printed(good[:-1], "FLOOD/REFUSED"),
            _printed(good, "FLOOD/ANOTHER"),
        ][each % 4]


def _receipt(number: int, line: str, id: str) -> bytes:
    data = {"order": "1", "item": "M", "quantity": "1", "uom": "kg"}
    return event("goods.received.v1", f"{number}-{id}", _at(number), line, data)


def tick(at: datetime) -> bytes:
    """Return a tick as a line of a log: it goes to all partitions."""
    return event("clock.tick.v1", f"{at:%H%M}", at, "*", {}, plant="*")


def event(
    type: str, id: str, at: datetime, line: str, data: dict[str, Any], plant: str = "FLOOD"
) -> bytes:
    """Return an event as a line of a log."""
    document = {
        "specversion": "1.0", "type": type, "source": "/flood", "id": id,
        "time": f"{at:%Y-%m-%dT%H:%M:%SZ}", "plant": plant, "line": line, "data": data,
    }  # fmt: skip
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def _printed(value: bytes, key: str) -> bytes:
    """Return a record as `kcat -J` prints it, of the first partition."""
    document = {"topic": MES_EVENTS, "partition": 0, "key": key, "payload": value.decode()}
    return json.dumps(document).encode()


def _wide(text: str) -> str:
    return (text + "\U0001f600" * WIDE_CHARS)[:WIDE_CHARS]


def _at(number: int) -> datetime:
    return BEFORE + APART * number
