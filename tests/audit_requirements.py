"""Asks public databases for known vulnerabilities of each locked version; fails if it can't look.

Exit codes: 0 there is none, 1 there is one, 2 it couldn't look at everything.
"""

import json
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parent.parent
LOCKS: Final = ("requirements.lock", "requirements-dev.lock")

SERVICES: Final = ("pypi", "osv")
"""The databases, as pip-audit calls them; the second is asked if the first can't be."""

AUDIT_SECONDS_MAX: Final = 600

CLEAN: Final = 0
VULNERABLE: Final = 1
NOT_LOOKED: Final = 2


def main() -> int:
    """Audit both locks, and return the exit code."""
    whys = []
    for service in SERVICES:
        report, why = ask(service)
        code, lines = verdict(report, locked(), why)
        if code != NOT_LOOKED:
            print("\n".join(lines))
            return code
        whys.append(f"{service}: {lines[-1]}")
    print("The audit couldn't look, so nothing is said to be safe:", file=sys.stderr)
    print("\n".join(f"  {why}" for why in whys), file=sys.stderr)
    return NOT_LOOKED


def ask(service: str) -> tuple[Mapping[str, Any] | None, str]:
    """Return pip-audit's report, or None and the last that it said."""
    locks = [word for name in LOCKS for word in ("--requirement", name)]
    command = [
        sys.executable, "-m", "pip_audit", "--disable-pip", "--require-hashes",
        "--progress-spinner=off", "--format=json", f"--vulnerability-service={service}", *locks,
    ]  # fmt: skip
    try:
        done = subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, timeout=AUDIT_SECONDS_MAX,
            check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return None, f"no answer within {AUDIT_SECONDS_MAX} s"
    said = done.stderr.strip().splitlines() or [f"pip-audit ended with code {done.returncode}"]
    try:
        report: Mapping[str, Any] = json.loads(done.stdout)
    except ValueError:
        return None, said[-1]
    return report, said[-1]


def locked() -> dict[str, str]:
    """Return the version of each requirement that is for every system."""
    found = {}
    for name in LOCKS:
        for line in (ROOT / name).read_text("utf-8").splitlines():
            entry = re.match(r"([\w.-]+)==([\w.]+) \\$", line)  # no marker
            if entry is not None:
                found[_plain(entry[1])] = entry[2]
    return found


def verdict(
    report: Mapping[str, Any] | None, wanted: Mapping[str, str], why: str
) -> tuple[int, list[str]]:
    """Return the exit code and what to say; a vulnerability is one, whatever else wasn't seen."""
    if report is None:
        return NOT_LOOKED, [why]
    told = {_plain(each["name"]): each for each in report["dependencies"]}
    looked = {name for name, each in told.items() if "vulns" in each and "skip_reason" not in each}
    unseen = sorted({*wanted, *told} - looked)
    vulnerable = [each for each in told.values() if each.get("vulns")]
    lines = [
        f"{each['name']} {each['version']}: {one['id']}, mended in {_versions(one['fix_versions'])}"
        for each in vulnerable
        for one in each["vulns"]
    ]
    if vulnerable:
        return VULNERABLE, lines
    if unseen or not wanted:
        count = len({*wanted, *told})
        return NOT_LOOKED, [f"{len(unseen)} of {count} aren't known there: {_some(unseen)}"]
    return CLEAN, [f"no known vulnerability in {len(looked)} packages"]


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _versions(versions: Iterable[str]) -> str:
    return ", ".join(versions) or "no version yet"


def _some(names: list[str]) -> str:
    return ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")


if __name__ == "__main__":
    sys.exit(main())
