"""The audit of requirements: what it can't look at is no pass."""

import subprocess
from typing import Any

import pytest

import audit_requirements
from audit_requirements import CLEAN, NOT_LOOKED, VULNERABLE, locked, main, verdict

WANTED = {"aiohttp": "1.0", "ruamel-yaml": "2.0"}


def report(**changes: dict[str, Any]) -> dict[str, Any]:
    """Return a report of both packages, without a finding unless changed."""
    names = {"aiohttp": "aiohttp", "ruamel": "ruamel.yaml"}
    return {
        "dependencies": [
            {"name": name, "version": "1.0", "vulns": []} | changes.get(key, {})
            for key, name in names.items()
        ]
    }


def test_all_looked_at_and_nothing_found_is_a_pass() -> None:
    assert verdict(report(), WANTED, "") == (CLEAN, ["no known vulnerability in 2 packages"])


def test_a_vulnerability_is_named_with_its_way_out() -> None:
    found = {
        "vulns": [{"id": "CVE-1", "fix_versions": ["1.1"]}, {"id": "CVE-2", "fix_versions": []}]
    }
    assert verdict(report(aiohttp=found), WANTED, "") == (
        VULNERABLE,
        ["aiohttp 1.0: CVE-1, mended in 1.1", "aiohttp 1.0: CVE-2, mended in no version yet"],
    )


def test_no_report_is_no_pass() -> None:
    assert verdict(None, WANTED, "no network") == (NOT_LOOKED, ["no network"])


@pytest.mark.parametrize(
    "told",
    [
        {"dependencies": []},
        {"dependencies": [{"name": "aiohttp", "version": "1.0", "vulns": []}]},
        report(ruamel={"skip_reason": "not found", "vulns": []}),
    ],
)
def test_what_wasnt_looked_at_is_no_pass(told: dict[str, Any]) -> None:
    code, (line,) = verdict(told, WANTED, "")
    assert code == NOT_LOOKED
    assert "ruamel-yaml" in line


def test_nothing_locked_is_no_pass() -> None:
    assert verdict({"dependencies": []}, {}, "")[0] == NOT_LOOKED


def test_the_locks_are_read() -> None:
    found = locked()
    assert {"aiokafka", "faust-streaming", "pytest"} <= set(found)
    assert len(found) > 40


def test_databases_that_dont_answer_are_told_and_fail(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def unreachable(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess(command, 1, "", "Traceback\nConnectionError: no network")

    monkeypatch.setattr(audit_requirements.subprocess, "run", unreachable)
    assert main() == NOT_LOOKED
    told = capsys.readouterr().err
    assert "couldn't look, so nothing is said to be safe" in told
    assert told.count("ConnectionError: no network") == 2
