"""Writes the generated pages: docs/asyncapi.json."""

import json
from importlib.metadata import version
from pathlib import Path

from streams.asyncapi import document


def page() -> str:
    """Return the text of docs/asyncapi.json."""
    return json.dumps(document(version("lineside")), indent=1) + "\n"


if __name__ == "__main__":
    (Path(__file__).parent / "asyncapi.json").write_text(page())
