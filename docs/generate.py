"""Writes what is generated: docs/asyncapi.json, and the Helm chart's catalogue, schema, README."""

import json
from importlib.metadata import version
from pathlib import Path

import chart
from streams.asyncapi import document

ROOT = Path(__file__).parent.parent


def page() -> str:
    """Return the text of docs/asyncapi.json."""
    return json.dumps(document(version("lineside")), indent=1) + "\n"


def pages() -> dict[str, str]:
    """Return all that is generated, by path."""
    return {
        "docs/asyncapi.json": page(),
        "helm/lineside/generated/catalogue.json": chart.catalogue(),
        "helm/lineside/values.schema.json": chart.schema(),
        "helm/lineside/README.md": chart.readme(),
    }


if __name__ == "__main__":
    for path, text in pages().items():
        (ROOT / path).write_text(text, "utf-8")
