"""The chaos suite's results as they are kept: a JSON document, and a table in a page."""

import json
import os
import platform
import statistics
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from chaos_cases import CASES
from chaos_suite import EXACTLY_ONCE, GUARANTEES, PARTITIONS, Result
from pages import put_between

MARK: Final = "chaos"

COLUMNS: Final = (
    "case", "guarantee", "events", "faults", "lost", "extra, altered, out of order",
    "totals error", "repeated (at_least_once)", "repeated, read_committed (exactly_once)",
    "seconds to go on: median, most", "memory of a worker: most, MB",
)  # fmt: skip


def document(results: Sequence[Result], session_seconds: float) -> dict[str, Any]:
    """Return results as they are kept."""
    return {
        "measured": f"{datetime.now(UTC):%Y-%m-%d}",
        "cpus": os.cpu_count(),
        "python": platform.python_version(),
        "session_timeout_seconds": session_seconds,
        "partitions": PARTITIONS,
        "results": [asdict(result) for result in results],
    }


def table(results: Sequence[dict[str, Any]]) -> str:
    """Return results as a Markdown table."""
    lines = [f"| {' | '.join(COLUMNS)} |", f"|{' --- |' * len(COLUMNS)}"]
    for one in results:
        difference = one["difference"]
        once = one["guarantee"] == EXACTLY_ONCE
        repeated = f"{one['repeated']:,}"
        resumed = one["resumed"]
        peak = one.get("peak_mb")  # what was kept before there was a limit has none
        cells = (
            CASES[one["case"]].what, one["guarantee"], f"{one['events']:,}", str(one["faults"]),
            f"{difference['lost']:,}", f"{difference['extra'] + difference['altered'] + difference['disordered']:,}",
            difference["totals_error"], "" if once else repeated, repeated if once else "",
            f"{statistics.median(resumed):.1f}, {max(resumed):.1f}" if resumed else "",
            f"{peak:,.0f}" if peak else "",
        )  # fmt: skip
        if not one["records"]:
            cells = (*cells[:4], *[""] * 5, *cells[9:])  # it didn't come to a comparison
        if one["failure"]:
            failed = f"**failed**: {one['failure'].splitlines()[0]}"
            cells = (*cells[:9], f"{cells[9]} {failed}".strip(), cells[10])
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def keep(path: Path, results: dict[str, Any]) -> None:
    """Write results to a JSON file, or their table into a Markdown page between its marks."""
    if path.suffix == ".json":
        path.write_text(json.dumps(results, indent=1) + "\n", "utf-8")
    else:
        put_between(path, MARK, table(results["results"]))


def merged(old: list[dict[str, Any]], new: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the results of both, the new ones first choice, in the order of the cases."""
    by = {(one["case"], one["guarantee"]): one for one in [*old, *new]}
    return [
        by[name, guarantee]
        for name in CASES
        for guarantee in GUARANTEES
        if (name, guarantee) in by
    ]  # fmt: skip
