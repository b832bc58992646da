"""Writes what is generated: asyncapi.json, tables, what leaves for examples, the chart's pages."""

import json
from pathlib import Path
from tempfile import TemporaryDirectory

import chart
from agents.replay.replay import replay
from agents.serve import metrics
from streams.contract import checks
from streams.contract.asyncapi import document
from streams.contract.topics import INPUTS
from tables.line.rules import rules_for

ROOT = Path(__file__).parent.parent


def page() -> str:
    """Return the text of docs/asyncapi.json."""
    return json.dumps(document(newest_version()), indent=1) + "\n"


def closes(example: str) -> bool:
    """Return whether a page replays an example with `--close`."""
    return example in ("goods-issue", "machine-states")


def leaves(log: Path) -> str:
    """Return the records that leave for a log of docs/examples, topic by topic."""
    rules = {topic: rules_for(topic) for topic in INPUTS}
    with TemporaryDirectory() as name:
        folder = Path(name)
        with log.open("rb") as lines:
            replay(lines, folder, rules, 1, closes(log.stem))
        return "".join(each.read_text("utf-8") for each in sorted(folder.glob("*.ndjson")))


def newest_version() -> str:
    """Return the version that the changelog begins with."""
    return (ROOT / "CHANGELOG.md").read_text("utf-8").partition("\n## [")[2].partition("]")[0]


def with_table(text: str, head: str, table: str) -> str:
    """Return a page with another table in place of the one that begins with `head`."""
    before, _, rest = text.partition(head)
    return before + table.rstrip("\n") + "\n\n" + rest.partition("\n\n")[2]


def pages() -> dict[str, str]:
    """Return all that is generated, by path."""
    examples = sorted((ROOT / "docs/examples").glob("*.ndjson"))
    return {
        **{f"docs/examples/leaves/{log.name}": leaves(log) for log in examples},
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
