"""Plans a simulated factory that is at work now, and writes the log of one to a file."""

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, BinaryIO, Final

import msgspec

from agents.settings.settings import SettingsError
from agents.simulate.factory import Plan, arrivals
from agents.simulate.mess import Mess
from agents.simulate.model import MONDAY
from agents.simulate.pace import clock

PROGRESS_EVENTS: Final = 10_000

SIDE_MAX: Final = 99
"""Plants, and lines per plant: their names have two digits."""

PLANTS: Final = 8
"""The number of plants of a factory, unless its rate needs more."""

EVENTS_PER_LINE_SECOND: Final = 0.95
"""The average rate of a line in its first hours: 1.2 at first, 0.85 later."""

NEAR: Final = 0.03
"""A deviation from the rate that doesn't matter: the rate of a line varies by more."""

WARM_UP_SECONDS: Final = 60
"""The time until all of a factory is at work; the factory starts this long before now."""


def mess_of(rates: Iterable[str], clean: bool) -> Mess:
    """Return the mess with these rates ("late=0.2"), or raise `SettingsError`."""
    names = Mess.__struct_fields__
    given: dict[str, object] = {}
    if clean:
        given = {name: 0 for name in names if name != "backlog_after_seconds"}
    for rate in rates:
        name, _, value = rate.partition("=")
        if name not in names:
            raise SettingsError(f"--mess {rate}: {name!r} is none of {', '.join(names)}")
        given[name] = value
    try:
        return msgspec.convert(given, Mess, strict=False)
    except (msgspec.ValidationError, ValueError) as error:
        raise SettingsError(f"--mess {' '.join(rates)}: {error}") from None


def plan_of_now(
    seed: int, rate: float | None, plants: int | None, lines: int | None, tick_seconds: int,
    mess: Mess,
) -> Plan:  # fmt: skip
    """Return the plan of a factory that works around the clock, from now on.

    A given rate decides the number of lines. No other run has the same ids. Raises `SettingsError`
    if rate, plants and lines don't fit together.
    """
    plants, lines = _sides(rate, plants, lines)
    start = clock() - WARM_UP_SECONDS * 1_000_000
    return Plan(
        seed=seed, plants=plants, lines=lines, tick_seconds=tick_seconds, mess=mess, start=start,
        run=f"{_base36(start // 1000 - MONDAY)}-", works_always=True,
    )  # fmt: skip


def rate_of(plan: Plan) -> float:
    """Return about how many events a plan's factory sends per second."""
    return plan.plants * plan.lines * EVENTS_PER_LINE_SECOND


def _sides(rate: float | None, plants: int | None, lines: int | None) -> tuple[int, int]:
    """Return the number of plants, and of lines per plant."""
    if rate is None:
        return plants or PLANTS, lines or PLANTS
    if plants and lines:
        raise SettingsError(
            f"--rate {rate:g}, --plants {plants} and --lines {lines}: a line sends one event a "
            "second, so the rate says how many there are; leave one of the three out"
        )
    wanted = max(1, round(rate / EVENTS_PER_LINE_SECOND))
    if lines:
        fits = [(round(wanted / lines), lines)]
    else:
        counts = [plants] if plants else range(max(PLANTS, -(-wanted // SIDE_MAX)), 0, -1)
        fits = [(count, round(wanted / count)) for count in counts]
    fits = [fit for fit in fits if min(fit) >= 1 and max(fit) <= SIDE_MAX]
    if not fits:
        raise SettingsError(
            f"--rate {rate:g} takes {wanted:,} lines: 1 to {SIDE_MAX} plants have 1 to {SIDE_MAX} "
            "lines each"
        )
    off = [abs(fit[0] * fit[1] / wanted - 1) for fit in fits]
    near = [fit for fit, by in zip(fits, off, strict=True) if by < NEAR]
    return near[0] if near else fits[off.index(min(off))]


def _base36(number: int) -> str:
    digits = ""
    while number:
        number, digit = divmod(number, 36)
        digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"[digit] + digits
    return digits


def write_log(
    plan: Plan, events: int, out: Path | BinaryIO, progress: Callable[[int], object] | None = None
) -> None:
    """Write `events` events, and the ticks between them, to a file or a stream.

    A file gets its name when it is complete. `progress` gets the number of events written.
    """
    _written(lambda file: _write(plan, events, file, progress), out)


def write_rows(rows: Iterable[tuple[str, str, dict[str, Any]]], out: Path | BinaryIO) -> None:
    """Write master data to a file or a stream: an object a line, as `reference import` reads it."""

    def write(file: BinaryIO) -> None:
        for kind, plant, data in rows:
            row = {"kind": kind, "plant": plant, "data": data}
            file.write(msgspec.json.encode(row) + b"\n")

    _written(write, out)


def _written(write: Callable[[BinaryIO], None], out: Path | BinaryIO) -> None:
    if not isinstance(out, Path):
        write(out)
        out.flush()
        return
    out.parent.mkdir(parents=True, exist_ok=True)
    if out.exists() and not out.is_file():  # a pipe, a terminal
        with out.open("wb") as file:
            write(file)
        return
    part = out.with_name(f"{out.name}.part")
    try:
        with part.open("wb") as file:
            write(file)
        os.replace(part, out)
    finally:
        part.unlink(missing_ok=True)


def _write(
    plan: Plan, events: int, file: BinaryIO, progress: Callable[[int], object] | None
) -> None:
    written = 0
    if not events:
        return
    for arrival in arrivals(plan):
        file.write(arrival.value + b"\n")
        if arrival.tick:
            continue
        written += 1
        if progress is not None and written % PROGRESS_EVENTS == 0:
            progress(PROGRESS_EVENTS)
        if written == events:
            return
