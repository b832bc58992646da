"""Every query of every dashboard names metrics and labels that a worker exposes."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from agents.serve.metrics import METRICS, PREFIX

FOLDER = Path(__file__).parents[2] / "helm" / "lineside" / "dashboards"
BOARDS = {file.stem: json.loads(file.read_bytes()) for file in FOLDER.glob("*.json")}

TARGET = {"job", "instance", "namespace", "le"}
"""Labels that Prometheus adds, and that of buckets."""

PROCESS = {
    "process_cpu_seconds_total", "process_resident_memory_bytes", "process_open_fds",
}  # fmt: skip

UNITS_SHOWN = {"short", "s", "ops", "percentunit", "bytes"}


def panels(board: dict[str, Any]) -> list[dict[str, Any]]:
    return [panel for panel in board["panels"] if panel["type"] != "row"]


def queries(board: dict[str, Any]) -> list[str]:
    """Return every PromQL expression of a dashboard, those of its variables among them."""
    found = [target["expr"] for panel in panels(board) for target in panel["targets"]]
    for variable in board["templating"]["list"]:
        if variable["type"] == "query":
            inner = re.fullmatch(r"label_values\((.*), (\w+)\)", variable["definition"])
            assert inner is not None, variable["definition"]
            found.append(f"count by ({inner[2]}) ({inner[1]})")
    return found


def concrete(query: str) -> str:
    """Return a query as Grafana sends it when all is chosen, of plant DE01."""
    chosen = {
        "__rate_interval": "10s",
        "job": ".*",
        "instance": ".*",
        "plant": "DE01",
        "line": ".*",
    }
    for name, value in chosen.items():
        query = re.sub(rf"\$({name})\b", value, query)
    assert "$" not in query, query
    return query


def labels_of(query: str) -> dict[str, set[str]]:
    """Return the labels that a query asks of each metric it names."""
    found: dict[str, set[str]] = {}
    grouped = {
        label.strip()
        for group in re.findall(r"\bby \(([^)]*)\)", query)
        for label in group.split(",")
    }
    for name, matchers in re.findall(r"\b([a-z][a-z_]+_[a-z_]+)\b(?:\{([^}]*)\})?", query):
        if name.startswith(("lineside_", "process_")):
            labels = set(re.findall(r"(\w+)\s*=~?", matchers))
            found[name] = found.get(name, set()) | labels | grouped
    return found


EXPOSED = {
    PREFIX + metric.name + ending: set(metric.labels) | TARGET
    for metric in METRICS
    for ending in (("_bucket", "_sum", "_count") if metric.type == "histogram" else ("",))
} | dict.fromkeys(PROCESS, TARGET)


def test_there_are_three_dashboards() -> None:
    assert set(BOARDS) == {"overview", "plant", "internals"}
    assert len({board["uid"] for board in BOARDS.values()}) == 3


@pytest.mark.parametrize("name", BOARDS)
def test_queries_name_metrics_and_labels_that_are_there(name: str) -> None:
    for query in queries(BOARDS[name]):
        asked = labels_of(query)
        assert asked, query
        for metric, labels in asked.items():
            assert metric in EXPOSED, query
            assert labels <= EXPOSED[metric], (query, labels - EXPOSED[metric])


@pytest.mark.parametrize("name", BOARDS)
def test_a_dashboard_takes_its_data_source_and_all_else_from_variables(name: str) -> None:
    board = BOARDS[name]
    known = {variable["name"] for variable in board["templating"]["list"]}
    for panel in panels(board):
        assert panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"] in UNITS_SHOWN
        for one in (panel, *panel["targets"]):
            assert one["datasource"] == {"type": "prometheus", "uid": "${DS_PROMETHEUS}"}
        for target in panel["targets"]:
            used = set(re.findall(r"\$(\w+)", target["expr"])) - {"__rate_interval"}
            assert used <= known, target["expr"]
            legend = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
            told = set(re.findall(r"\w+", " ".join(re.findall(r"by \(([^)]*)\)", target["expr"]))))
            if told:
                assert legend <= told, target
    ids = [panel["id"] for panel in board["panels"]]
    assert len(set(ids)) == len(ids)


def test_every_metric_is_on_a_dashboard() -> None:
    shown = {
        metric
        for board in BOARDS.values()
        for query in queries(board)
        for metric in labels_of(query)
    }
    for metric in METRICS:
        assert any(name.startswith(PREFIX + metric.name) for name in shown), metric.name


def test_panels_do_not_overlap() -> None:
    for name, board in BOARDS.items():
        taken: set[tuple[int, int]] = set()
        for panel in board["panels"]:
            at = panel["gridPos"]
            assert at["x"] + at["w"] <= 24
            cells = {
                (x, y)
                for x in range(at["x"], at["x"] + at["w"])
                for y in range(at["y"], at["y"] + at["h"])
            }
            assert not cells & taken, (name, panel["title"])
            taken |= cells
