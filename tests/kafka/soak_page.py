"""What came of a soak, as it is kept: a JSON document, and a part of a page."""

import json
import os
import platform
import statistics
from collections import defaultdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from pages import put_between

MARK: Final = "soak"


def machine() -> dict[str, Any]:
    """Return what it runs on."""
    return {
        "measured": f"{datetime.now(UTC):%Y-%m-%d}",
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "lineside": version("lineside"),
    }


def keep(path: Path, results: dict[str, Any]) -> None:
    """Write it to a JSON file, or into a Markdown page between its marks."""
    if path.suffix == ".json":
        path.write_text(json.dumps(results, indent=1) + "\n", "utf-8")
    else:
        put_between(path, MARK, page(results))


def page(results: dict[str, Any]) -> str:
    """Return it in words and two tables."""
    return "\n\n".join([_verdict(results), _flatness(results), _faults(results)])


def _verdict(results: dict[str, Any]) -> str:
    size = (
        f"{results['hours']:g} h at {results['rate']:,.0f} events/s, {results['guarantee']}: "
        f"{results['events']:,} events, {len(results['faults'])} faults"
    )
    if results["failure"]:
        return f"{size}. **Failed**: {results['failure'].splitlines()[0]}"
    differences = results["differences"]
    return (
        f"{size}, {results['records']:,} records left, {results['repeated']:,} of them again, "
        f"{len(differences)} differences{'' if not differences else ': ' + differences[0]}. "
        f"{results['counts']['parked']:,} events are parked, {results['copies']:,} copies of master "
        "data are in the input. "
        f"Memory of a worker at most {results['peak_mb']:,.0f} MB. Ledgers reached back "
        f"{results['settings']['mes_retention_seconds']:,} s of event time."
    )


def _flatness(results: dict[str, Any]) -> str:
    rows = ["| figure | median of quarter | then | in the last | may be | at most | flat |"]
    rows.append("| --- | --- | --- | --- | --- | --- | --- |")
    for one in results["flatness"]:
        before, last, bound, most = (
            f"{one[name]:,.0f} {one['unit']}".strip()
            for name in ("before", "last", "bound", "most")
        )
        flat = "yes" if one["flat"] else "**no**"
        rows.append(
            f"| {one['figure']} | {one['against']} | {before} | {last} | {bound} | {most} | {flat} |"
        )
    return "\n".join(rows)


def _faults(results: dict[str, Any]) -> str:
    by: defaultdict[str, list[float | None]] = defaultdict(list)
    for fault in results["faults"]:
        by[fault["name"]].append(fault["went_on"])
    rows = ["| fault | times | seconds to go on: median, most |", "| --- | --- | --- |"]
    for name, seconds in sorted(by.items()):
        known = [each for each in seconds if each is not None]
        words = f"{statistics.median(known):.1f}, {max(known):.1f}" if known else ""
        rows.append(f"| {name} | {len(seconds)} | {words} |")
    return "\n".join(rows)
