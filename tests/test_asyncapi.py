"""The AsyncAPI document: fresh, and true of what really comes in and leaves."""

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from streams.asyncapi import document
from streams.topics import CATALOGUE, OUTPUTS

ROOT = Path(__file__).parent.parent
LINESIDE = str(Path(sys.executable).with_name("lineside"))


def payload(name: str) -> dict[str, Any]:
    found: dict[str, Any] = document("1")["components"]["messages"][name]["payload"]
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("asyncapi")
    log = folder / "log.ndjson"
    many = ["--events", "6000", "--plants", "2", "--lines", "2", "--mess", "malformed=0"]
    subprocess.run([LINESIDE, "simulate", *many, "--out", log], check=True, capture_output=True)
    replay = [LINESIDE, "replay", log, "--out", folder / "out", "--close"]
    subprocess.run(replay, check=True, capture_output=True)
    return folder


def events(path: Path) -> Iterator[dict[str, Any]]:
    for line in path.read_bytes().splitlines():
        yield json.loads(line)


def test_the_page_is_fresh() -> None:
    code = (
        "import sys; sys.path.insert(0, 'docs'); import generate; sys.stdout.write(generate.page())"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout == (ROOT / "docs" / "asyncapi.json").read_text(), "run `make docs`"


def test_every_topic_of_the_catalogue_is_a_channel_with_messages() -> None:
    channels = document("1")["channels"]
    assert set(channels) == {topic.name for topic in CATALOGUE}
    assert all(channel["messages"] for channel in channels.values())


def test_what_the_factory_sends_is_what_the_document_says(folder: Path) -> None:
    seen: Counter[str] = Counter()
    for event in events(folder / "log.ndjson"):
        kind = event["type"]
        seen[kind] += 1
        if seen[kind] > 30:
            continue
        told = {  # a member that is null is absent, but for telemetry's value
            name: value
            for name, value in event["data"].items()
            if value is not None or name == "value"
        }
        Draft202012Validator(payload(kind)).validate({**event, "data": told})
    assert len(seen) >= 14


def test_what_leaves_is_what_the_document_says(folder: Path) -> None:
    seen: Counter[str] = Counter()
    for topic in OUTPUTS:
        for event in events(folder / "out" / f"{topic}.ndjson"):
            schema = payload(event["type"])
            unknown = set(event["data"]) - set(schema["properties"]["data"]["properties"])
            assert not unknown, f"{event['type']} leaves with {unknown}"
            seen[event["type"]] += 1
            if seen[event["type"]] <= 30:
                Draft202012Validator(schema).validate(event)
    assert len(seen) >= 13
