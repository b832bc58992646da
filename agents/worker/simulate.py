"""Writing the log of a simulated factory."""

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import BinaryIO, Final

import msgspec

from agents.worker.settings import SettingsError
from streams.factory import Plan, arrivals
from streams.mess import Mess

PROGRESS_EVENTS: Final = 10_000


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


def write_log(
    plan: Plan, events: int, out: Path | BinaryIO, progress: Callable[[int], object] | None = None
) -> None:
    """Write `events` events, and the ticks between them, to a file or a stream.

    A file appears under its name when it's complete; `progress` gets the events written.
    """
    if not isinstance(out, Path):
        _write(plan, events, out, progress)
        out.flush()
        return
    out.parent.mkdir(parents=True, exist_ok=True)
    if out.exists() and not out.is_file():  # a pipe, a terminal
        with out.open("wb") as file:
            _write(plan, events, file, progress)
        return
    part = out.with_name(f"{out.name}.part")
    try:
        with part.open("wb") as file:
            _write(plan, events, file, progress)
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
