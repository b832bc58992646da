"""The report: counts, what is open, waits, is parked, and the conservation check (sections 7, 8)."""

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from . import postings
from .episodes import forget, limit_of
from .line import Line
from .tables import ORDER, POSTED, RECORD_TYPES, WINDOWED
from .values import ONE, SECOND, measure_text, time_text

if TYPE_CHECKING:
    from .replay import Job

Sum = tuple[str, str, str]
"""(record type, measure, uom): "Where it is shown in sums, units aren't mixed: by `uom`"."""


def report(job: "Job") -> dict[str, Any]:
    lines = [line for task in job.tasks.values() for line in task.lines.values()]
    for line in lines:
        forget(line)
    parked = [one for line in lines for one in line.parked]
    waiting = [e for line in lines for e in line.episodes.values() if e.start is None and e.end]
    overlong = [
        episode
        for line in lines
        for episode in line.episodes.values()
        if episode.start is not None and episode.end is None
        if line.watermark is not None and line.watermark - episode.start > limit_of(line)
    ]
    forgotten = sum(line.forgotten_open for line in lines)
    return {
        "counts": job.counts,
        "exceptions": dict(sorted(job.codes.items())),
        "passed_over": job.passed_over,
        "open_windows": sum(len(line.open) + len(line.finals) for line in lines),
        "parked": len(parked),
        "parked_since": time_text(min(one.event.time for one in parked)) if parked else None,
        "waiting_ends": len(waiting),
        "overlong_episodes": len(overlong),
        "forgotten_open_seconds": measure_text(forgotten * (ONE // SECOND)),
        **_holds(job),
        "conservation": _conservation(lines),
    }


def _holds(job: "Job") -> dict[str, list[str]]:
    """ "Holds that have touched nothing, and releases without a hold"."""
    holds: set[tuple[str, str]] = set()
    releases: set[tuple[str, str]] = set()
    touched: set[tuple[str, str]] = set()
    for task in job.tasks.values():
        touched |= task.holds_that_touched
        for (kind, plant), records in task.known.records.items():
            names = {(plant, identity[0]) for identity in records if kind.startswith("hold")}
            (holds if kind == "hold" else releases).update(names)
    return {
        "idle_holds": sorted(f"{plant}/{name}" for plant, name in holds - touched),
        "releases_without_hold": sorted(f"{plant}/{name}" for plant, name in releases - holds),
    }


def _conservation(lines: list[Line]) -> dict[str, Any]:
    """Law 1: of rows "accepted = emitted + open windows + parked, exactly, at any moment; of what
    leaves singly: accepted = left + waiting + parked + taken out"."""
    sums: dict[Sum, Counter[str]] = {}
    errors: Counter[Sum] = Counter()
    singles: dict[str, Counter[str]] = {}
    for line in lines:
        for key, told in _rows(line).items():
            error = told["accepted"] - told["emitted"] - told["open"] - told["parked"]
            sums.setdefault(key, Counter()).update(told)
            errors[key] += abs(error)
        for short, told in _singles(line).items():
            singles.setdefault(short, Counter()).update(told)
    return {
        "error": measure_text(sum(errors.values())),
        "rows": [
            {
                "type": key[0],
                "measure": key[1],
                **({"uom": key[2]} if key[2] else {}),
                **{n: measure_text(told[n]) for n in ("accepted", "emitted", "open", "parked")},
                "error": measure_text(errors[key]),
            }
            for key, told in sorted(sums.items())
        ],
        "singles": [
            {
                "type": RECORD_TYPES[short],
                **{n: told[n] for n in ("accepted", "left", "waiting", "parked", "taken_out")},
                "error": told["accepted"]
                - told["left"]
                - told["waiting"]
                - told["parked"]
                - told["taken_out"],
            }
            for short, told in sorted(singles.items())
        ],
    }


def _rows(line: Line) -> dict[Sum, Counter[str]]:
    found: dict[Sum, Counter[str]] = {}
    for side, (short, members, measure), size in _sides(line):
        windowed = WINDOWED[short]
        uom = members[windowed.row.index("uom")] if "uom" in windowed.row else ""
        found.setdefault((windowed.type, measure, uom), Counter())[side] += size
    return found


def _sides(line: Line) -> Iterator[tuple[str, tuple[str, tuple[Any, ...], str], int]]:
    for row, size in line.tally.accepted.items():
        yield "accepted", row, size
    for row, size in line.tally.emitted.items():
        yield "emitted", row, size
    for (_, place), rows in line.open.items():
        short = ORDER[place]
        for key, sums in rows.items():
            for measure, size in zip(WINDOWED[short].measures, sums.measures, strict=True):
                yield "open", (short, key.members, measure), size
    for parked in line.parked:
        way = postings.way_of(line, parked.event)
        if not way.single:
            members, measures = postings.row_of(way, parked.event)
            for measure, size in measures.items():
                yield "parked", (way.short, members, measure), size


def _singles(line: Line) -> dict[str, Counter[str]]:
    found = {short: Counter[str]() for short in POSTED.values()}
    for (short, side), count in line.tally.singles.items():
        found[short][side] += count
    found["pc"]["waiting"] = sum(len(finals) for finals in line.finals.values())
    for parked in line.parked:
        way = postings.way_of(line, parked.event)
        found[way.short]["parked"] += way.single
    return {short: told for short, told in found.items() if any(told.values())}
