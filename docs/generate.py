"""Writes what is generated: asyncapi.json, tables of two pages, and the Helm chart's pages."""

import json
from pathlib import Path

import chart
from agents.serve import metrics
from streams.contract import checks
from streams.contract.asyncapi import document

ROOT = Path(__file__).parent.parent


def page() -> str:
    """Return the text of docs/asyncapi.json."""
    return json.dumps(document(newest_version()), indent=1) + "\n"


def newest_version() -> str:
    """Return the version that the changelog begins with."""
    return (ROOT / "CHANGELOG.md").read_text("utf-8").partition("\n## [")[2].partition("]")[0]


def with_table(text: str, head: str, table: str) -> str:
    """Return a page with another table in place of the one that begins with `head`."""
    before, _, rest = text.partition(head)
    return before + table.rstrip("\n") + "\n\n" + rest.partition("\n\n")[2]


def pages() -> dict[str, str]:
    """Return all that is generated, by path."""
    return {
        "docs/asyncapi.json": page(),
        "docs/contract.md": with_table(
            (ROOT / "docs/contract.md").read_text("utf-8"), "| # | what is found |", checks.table()
        ),
        "docs/metrics.md": with_table(
            (ROOT / "docs/metrics.md").read_text("utf-8"), "| metric |", metrics.table()
        ),
        "helm/lineside/generated/catalogue.json": chart.catalogue(),
        "helm/lineside/values.schema.json": chart.schema(),
        "helm/lineside/README.md": chart.readme(),
    }


if __name__ == "__main__":
    for path, text in pages().items():
        (ROOT / path).write_text(text, "utf-8")
