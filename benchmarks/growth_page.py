"""The page of how the cost grows: its tables, and sentences that are worked out from them."""

import statistics
from collections.abc import Callable
from typing import Any, Final

from measure import about, table

from streams.contract.topics import MES_EVENTS
from tables.line.rules import Timing

SUBJECTS: Final = ("keys", "lines", "partitions", "workers", "late", "rows")

INTRODUCTIONS: Final = {
    "keys": "One run, by how many keys the ledgers hold: those of all events that were accepted, "
    "telemetry aside. The log is denser than others, so that all are within a day of event time.",
    "lines": "As many events of more lines, so of less event time. None is late.",
    "partitions": "Of each input topic.",
    "workers": "Of one group, on one machine; CPU and memory are those of all.",
    "late": "The share of events that come after their windows' end and grace. More than in the "
    "mix of all events are consumption, machine counts and scrap, which have windows.",
    "rows": "Components that a line uses at the same time. How many rows a window has depends on "
    "the events, too: a line reports some 18 consumptions a minute.",
}
"""What a reader has to know of each subject."""

NOUNS: Final = {
    "lines": "lines",
    "partitions": "partitions",
    "workers": "workers",
    "late": "late events",
    "rows": "rows",
}

EXTRA: Final[dict[str, tuple[str, Callable[[dict[str, Any]], str]]]] = {
    "lines": ("keys in the ledgers", lambda one: f"{one['keys']:,}"),
    "partitions": ("of them with lines", lambda one: f"{one['partitions_filled']}"),
    "workers": (
        "of the CPU, the idlest",
        lambda one: f"{statistics.median(run['worker_share_least'] for run in one['runs']):.0%}",
    ),
    "late": ("late in the log", lambda one: f"{one['late_share']:.2%}"),
    "rows": (
        "rows of a line and minute, measured",
        lambda one: f"{one['rows_per_line_and_minute']:.1f}",
    ),
}
"""A column of each subject's own."""

PLANTS: Final = 1_000
LINES_OF_A_PLANT: Final = 8


def page(found: dict[str, Any]) -> str:
    """Return all figures that there are as Markdown."""
    there = {name: found["subjects"][name] for name in SUBJECTS if name in found["subjects"]}
    parts = ["# How the cost grows\n"]
    for name, subject in there.items():
        machine = subject["machine"]
        kind = "; **a trial**: the worker was asked for its page" if subject["trial"] else ""
        parts.append(f"## {name.capitalize()}\n\n{INTRODUCTIONS[name]}\n")
        parts.append(keys_table(subject) if name == "keys" else points_table(name, subject))
        parts.append(f"Measured {machine['measured']}, lineside {machine['lineside']}{kind}.\n")
    if "lines" in there and not there["lines"]["trial"]:
        parts.append(plants(there["lines"], there.get("keys")))
    parts += dict.fromkeys(about(subject) for subject in there.values())
    return "\n".join(parts)


def keys_table(subject: dict[str, Any]) -> str:
    """Return some windows of the run with keys, and what they come to."""
    shown = [
        one
        for number, one in enumerate(subject["windows"], 1)
        if number == 1 or 4 * number % len(subject["windows"]) == 0
    ]
    rows = [
        (
            f"{one['keys']:,}",
            f"{one['cpu_per_event']:.2f}",
            f"{one['cpu_per_event'] / shown[0]['cpu_per_event']:.2f}",
            f"{1e6 / one['wall_per_event']:,.0f}",
            f"{one['resident_mb']:.0f}",
        )
        for one in shown
    ]
    head = ("keys in the ledgers", "CPU us per event", "times the first",
            "events/s, wall clock", "resident MB")  # fmt: skip
    first, last = shown[0], shown[-1]
    cpu = grown(first["cpu_per_event"], last["cpu_per_event"])
    return (
        f"{table(head, rows)}\nFrom {first['keys']:,} to {last['keys']:,} keys the cost {cpu}, "
        f"memory {grown(first['resident_mb'], last['resident_mb'])}. The peak was "
        f"{subject['run']['cost']['peak_mb']:.0f} MB, and the states took "
        f"{subject['run']['state_bytes'] / subject['keys']:.0f} bytes on disk for each of "
        f"{subject['keys']:,} keys. {subject['records']:,} records on {subject['partitions']} "
        "partitions of each input topic, one run.\n"
    )


def points_table(name: str, subject: dict[str, Any]) -> str:
    """Return a subject's values, and what they come to."""
    points = subject["points"]
    first, last = points[0], points[-1]
    rows = []
    for one in points:
        median, each = one["median"], [run["cost"]["cpu_per_event"] for run in one["runs"]]
        rows.append(
            (
                shown(name, one["value"]),
                f"{median['cpu_per_event']:.2f}",
                f"{min(each):.2f} to {max(each):.2f}",
                f"{median['cpu_per_event'] / first['median']['cpu_per_event']:.2f}",
                f"{1e6 / median['wall_per_event']:,.0f}",
                f"{median['peak_mb']:.0f}",
                EXTRA[name][1](one),
            )
        )
    head = (name, "CPU us per event", "of the rounds", "times the first",
            "events/s, wall clock", "peak MB", EXTRA[name][0])  # fmt: skip
    cpu, wall, mb = (
        grown(first["median"][what], last["median"][what], invert=what == "wall_per_event")
        for what in ("cpu_per_event", "wall_per_event", "peak_mb")
    )
    speed = f" events/s {wall}," if name == "workers" else ""
    records = " to ".join(dict.fromkeys(f"{one['records']:,}" for one in (first, last)))
    return (
        f"{table(head, rows)}\nFrom {shown(name, first['value'])} to {shown(name, last['value'])} "
        f"{NOUNS[name]} the cost {cpu},{speed} memory {mb}. {records} records; "
        f"rounds: {subject['rounds']}, the figures are medians.\n"
    )


def grown(first: float, last: float, invert: bool = False) -> str:
    """Return by how much something has changed; `invert` where the figures are one over it."""
    ratio = first / last if invert else last / first
    if round(ratio, 2) == 1:
        return "stays the same within 0.5 %"
    return f"{'rises' if ratio > 1 else 'falls'} by {abs(ratio - 1) * 100:.0f} %"


def shown(name: str, value: float) -> str:
    """Return a value as one reads it."""
    return f"{value * 100:g} %" if name == "late" else f"{value:,.0f}"


def plants(lines: dict[str, Any], keys: dict[str, Any] | None) -> str:
    """Return what the figures by lines come to for many plants, with the arithmetic."""
    few, many = lines["points"][0], lines["points"][-1]
    wanted, rate = PLANTS * LINES_OF_A_PLANT, many["plan"]["rate"]
    events = wanted * rate
    cpu, count = many["median"]["cpu_per_event"], many["value"] - few["value"]
    low, high = few["median"]["peak_mb"], many["median"]["peak_mb"]
    each = (high - low) / count
    more = wanted - few["value"]
    text = (
        f"## What it says for {PLANTS:,} plants\n\n"
        f"{PLANTS:,} plants of {LINES_OF_A_PLANT} lines are {wanted:,} lines. At {rate:g} events/s "
        f"a line, the log's rate, they report {wanted:,} x {rate:g} = {events:,.0f} events/s. At "
        f"{cpu:.2f} us of CPU an event, as with {many['value']:,.0f} lines, that is "
        f"{events:,.0f} x {cpu:.2f} / 1,000,000 = **{events * cpu / 1e6:.2f} cores**, without the "
        "broker's.\n\n"
        f"Memory: {low:.0f} MB with {few['value']:,.0f} lines and {high:.0f} MB with "
        f"{many['value']:,.0f} are ({high:.0f} - {low:.0f}) / {count:,.0f} = {each:.4f} MB a line; "
        f"one worker with {wanted:,} lines takes {low:.0f} + {more:,.0f} x {each:.4f} = "
        f"**{low + more * each:.0f} MB**.\n"
    )
    return text + (remembered(many, keys, events) if keys else "")


def remembered(many: dict[str, Any], keys: dict[str, Any], events: float) -> str:
    """Return how large the ledgers of many plants get, and how large they were when measured."""
    filled, timing = many["preloaded"], Timing()
    # Bad values and duplicates are as rare on both topics, telemetry is on the machines'.
    share = many["keys"] / (many["records"] - filled["telemetry"])
    of_mes = filled["records"][MES_EVENTS] / many["records"] * share
    of_machines = many["keys"] / many["records"] - of_mes
    held = events * (
        of_mes * timing.mes_retention_seconds + of_machines * timing.machine_retention_seconds
    )
    size = keys["run"]["state_bytes"] / keys["keys"]
    return (
        f"\nNot in that: their ledgers. They reach back for {timing.mes_retention_seconds:,} s of "
        f"MES events and {timing.machine_retention_seconds:,} s of machine events, and "
        f"{of_mes:.3f} and {of_machines:.3f} of all events leave a key: {events:,.0f} x "
        f"({of_mes:.3f} x {timing.mes_retention_seconds:,} + {of_machines:.3f} x "
        f"{timing.machine_retention_seconds:,}) = {held / 1e6:,.0f} million keys, at {size:.0f} "
        f"bytes {held * size / 1e9:,.0f} GB of disk. What an event costs is measured up to "
        f"{keys['windows'][-1]['keys'] / 1e6:g} million keys.\n"
    )
