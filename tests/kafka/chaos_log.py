"""The chaos suite's log: a factory with all its mess, and holds that are placed and released."""

import json
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

from agents.simulate.factory import Plan, arrivals
from agents.simulate.model import MONDAY

PLANTS: Final = 4
LINES: Final = 4

START: Final = MONDAY * 1000 + (13 * 60 + 10) * 60_000_000
"""18:10 UTC: five minutes before midnight in Kathmandu, where two plants begin (chaos_masters.py)."""

HELD: Final = (b'"production.confirmed.v1"', b'"material.consumed.v1"')
"""Types of which holds are placed: on what one of them names."""

SCOPES: Final = ("lot", "order", "item")

HOLDS: Final = 100
"""In a log, about, beside those of failed inspections."""

APART_MIN: Final = 400
"""Lines of the log from one hold to the next, at least."""

LASTING: Final = 20
"""A hold lasts for one part of the log in so many: some seconds, where it is fed in a minute."""


def plan_of(seed: int) -> Plan:
    """Return the plan of the suite's factory."""
    return Plan(seed=seed, plants=PLANTS, lines=LINES, start=START)


def write_chaos_log(path: Path, seed: int, events: int) -> None:
    """Write the log of a factory, with holds."""
    every, lasts = max(events // HOLDS, APART_MIN), events // LASTING
    with path.open("wb") as file:
        file.writelines(with_holds(made(seed, events), every, lasts))


def made(seed: int, events: int) -> Iterator[bytes]:
    """Yield the lines of the factory: so many events, and the ticks between them."""
    for arrival in arrivals(plan_of(seed)):
        if events == 0:
            return
        yield arrival.value + b"\n"
        events -= not arrival.tick


def with_holds(lines: Iterable[bytes], every: int, lasts: int) -> Iterator[bytes]:
    """Yield a log's lines, with holds on what they name, each placed and released on other lines.

    There is a hold every so many lines, about, and it lasts for so many.
    """
    waiting: deque[tuple[int, str, str]] = deque()
    due = every
    for number, line in enumerate(lines):
        yield line
        event = _read(line) if number >= due and any(kind in line for kind in HELD) else None
        if event is None:
            continue
        scope = SCOPES[number % len(SCOPES)]
        value = event["data"].get(scope)
        if value is not None:
            due = number + every
            hold, plant = f"QMS-{number}", event["plant"]
            data = {"hold": hold, "scope": scope, "value": value, "reason": "SUSPECT"}
            yield _told("quality.hold_placed.v1", event, plant, f"p-{hold}", number, data)
            waiting.append((number + lasts, plant, hold))
        while waiting and number >= waiting[0][0]:
            _, plant, hold = waiting.popleft()
            data = {"hold": hold, "disposition": "use"}
            yield _told("quality.hold_released.v1", event, plant, f"r-{hold}", number + 1, data)


def _read(line: bytes) -> dict[str, Any] | None:
    """Return an event of which a hold can be placed; the mess has broken some."""
    try:
        event = json.loads(line)
        told = event["plant"], event["line"], event["time"], event["data"]["item"]
    except (ValueError, TypeError, KeyError):
        return None
    return event if all(isinstance(each, str) for each in told) else None


def _told(
    kind: str, now: dict[str, Any], plant: str, id: str, number: int, data: dict[str, Any]
) -> bytes:
    """Return an event of a line of the plant, at the time of another event."""
    event = {
        "specversion": "1.0", "type": kind, "source": f"/{plant}/qms", "id": id,
        "time": now["time"], "plant": plant, "line": f"L{number % LINES + 1}", "data": data,
    }  # fmt: skip
    return json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
