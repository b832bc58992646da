"""Writes the generated pages: docs/asyncapi.json, and the table of docs/metrics.md."""

import json
from importlib.metadata import version
from pathlib import Path

from agents.worker.metrics import table
from streams.asyncapi import document

DOCS = Path(__file__).parent


def page() -> str:
    """Return the text of docs/asyncapi.json."""
    return json.dumps(document(version("lineside")), indent=1) + "\n"


def with_table(text: str) -> str:
    """Return the text of docs/metrics.md with the table of today's metrics."""
    before, _, rest = text.partition("| metric |")
    return before + table() + "\n" + rest.partition("\n\n")[2]


if __name__ == "__main__":
    (DOCS / "asyncapi.json").write_text(page())
    metrics = DOCS / "metrics.md"
    metrics.write_text(with_table(metrics.read_text("utf-8")))
