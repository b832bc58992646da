"""Alerts fire when they should, name metrics that are there, and lead to a runbook that is there."""

import re
from pathlib import Path

import pytest

from agents.serve.metrics import METRICS, PREFIX
from prometheus import promtool

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "helm" / "lineside" / "alerts"
RULES = (FOLDER / "lineside.rules.yaml").read_text("utf-8")
TESTS = (FOLDER / "lineside.tests.yaml").read_text("utf-8")
ALERTS = re.findall(r"^      - alert: (\w+)$", RULES, re.MULTILINE)


def test_every_alert_has_a_runbook_of_its_own_with_the_four_parts() -> None:
    paths = re.findall(r"^          runbook_url: (\S+)$", RULES, re.MULTILINE)
    assert len(ALERTS) == len(paths) == len(set(paths)) > 6
    for alert, path in zip(ALERTS, paths, strict=True):
        page = (ROOT / path).read_text("utf-8")
        assert page.startswith(f"# {alert}\n")
        parts = re.findall(r"^\*\*([\w ]+)\.\*\*", page, re.MULTILINE)
        assert parts == ["What you see", "What it means", "Where to look", "What to do"], path


def test_the_list_of_runbooks_is_that_of_the_alerts() -> None:
    listed = re.findall(
        r"^\| (\w+) \| (\w+) \| \[(\S+)\]",
        (ROOT / "docs/runbooks/README.md").read_text(),
        re.MULTILINE,
    )
    severities = re.findall(r"^          severity: (\w+)$", RULES, re.MULTILINE)
    assert [(alert, severity) for alert, severity, _ in listed] == list(
        zip(ALERTS, severities, strict=True)
    )


def test_alerts_and_runbooks_name_metrics_that_are_there() -> None:
    known = {PREFIX + metric.name for metric in METRICS}
    known |= {
        PREFIX + metric.name + ending
        for metric in METRICS
        if metric.type == "histogram"
        for ending in ("_bucket", "_sum", "_count")
    }
    for file in [FOLDER / "lineside.rules.yaml", *(ROOT / "docs" / "runbooks").glob("*.md")]:
        named = set(re.findall(r"\blineside_[a-z_]+\b", file.read_text("utf-8")))
        assert named <= known, (file.name, named - known)


def test_every_alert_is_tried_both_ways() -> None:
    for alert in ALERTS:
        tried = re.findall(rf"alertname: {alert}\n +exp_alerts:( \[\])?", TESTS)
        assert "" in tried, f"{alert} is never expected"
        if alert != "LinesideDiskFilling":  # its series are side by side
            assert " []" in tried, f"{alert} is never expected to keep quiet"


def test_commands_in_runbooks_are_those_of_lineside() -> None:
    from agents.cli.main import main

    for file in (ROOT / "docs" / "runbooks").glob("*.md"):
        for command, more in re.findall(
            r"^ *lineside (\w+) ?(\w*)", file.read_text(), re.MULTILINE
        ):
            assert command in main.commands, file.name
            if command == "topics":
                assert more in main.commands["topics"].commands, file.name  # type: ignore[attr-defined]


@pytest.mark.prometheus
def test_prometheus_takes_the_configuration_of_the_page(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "metrics.md").read_text("utf-8")
    (told,) = re.findall(r"^```yaml\n(rule_files:.*?)^```", page, re.MULTILINE | re.DOTALL)
    (tmp_path / "lineside.rules.yaml").write_text(RULES)
    (tmp_path / "lineside.token").write_text("some-token")
    file = tmp_path / "prometheus.yml"
    file.write_text(told.replace("/etc/prometheus", str(tmp_path)))
    said = promtool("check", "config", str(file))
    assert f"{len(ALERTS)} rules found" in said


@pytest.mark.prometheus
def test_alerts_fire_when_they_should() -> None:
    assert "SUCCESS" in promtool("check", "rules", "lineside.rules.yaml", cwd=FOLDER)
    assert "SUCCESS" in promtool("test", "rules", "lineside.tests.yaml", cwd=FOLDER)
