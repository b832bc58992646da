"""What the chart has from elsewhere: the topics, the rights, the settings are those of the code."""

import json
import subprocess
import sys
from typing import Any

import pytest

import generate
from charts import CHART, EVERYTHING, ON_STRIMZI, merged, objects, program
from streams.contract.topics import INPUTS, settings_of, topics_of
from tables.line.rules import Timing

GROUPS = pytest.mark.parametrize("group", ["lineside", "line.2"])

needs_helm = pytest.mark.skipif(program("helm") is None, reason="needs helm")


def test_the_generated_pages_are_fresh() -> None:
    for path, text in generate.pages().items():
        assert (generate.ROOT / path).read_text("utf-8") == text, f"{path}: run `make docs`"


@needs_helm
@GROUPS
@pytest.mark.parametrize("replication", [1, 3])
def test_strimzi_makes_the_topics_that_lineside_would(group: str, replication: int) -> None:
    changed = {"kafka": {"group": group, "partitions": 16}, "strimzi": {"replication": replication}}
    values = merged(EVERYTHING, changed)
    timing = Timing(mes_retention_seconds=EVERYTHING["settings"]["mes_retention_seconds"])
    ledgers = dict(
        zip(INPUTS, (timing.mes_retention_seconds, timing.machine_retention_seconds), strict=True)
    )
    made = {
        each["spec"]["topicName"]: each["spec"]
        for (kind, _), each in objects(values).items()
        if kind == "KafkaTopic"
    }
    assert made == {
        topic.name: {
            "topicName": topic.name,
            "partitions": 1 if topic.single else 16,
            "replicas": replication,
            "config": settings_of(topic, replication, ledgers.get(topic.name, 0)),
        }
        for topic in topics_of(group)
    }


@needs_helm
@GROUPS
def test_strimzi_gives_the_rights_that_lineside_names(group: str) -> None:
    users = {"floor": "worker", "floor-desk": "desk", **EVERYTHING["strimzi"]["users"]}
    done = subprocess.run(
        [program("lineside"), "topics", "acls", "--group", group, "--json"],
        capture_output=True,
        check=True,
        timeout=60,
    )
    rights: dict[str, Any] = json.loads(done.stdout)
    made = objects(merged(EVERYTHING, {"kafka": {"group": group}}))
    given = {
        name: each["spec"]["authorization"]
        for (kind, name), each in made.items()
        if kind == "KafkaUser"
    }
    assert given == {name: {"type": "simple", "acls": rights[role]} for name, role in users.items()}


@needs_helm
def test_a_worker_logs_in_with_what_strimzi_made_for_it() -> None:
    for security, how, files in (
        ("sasl_ssl", "scram-sha-512", {"broker-password": ["password"]}),
        ("ssl", "tls", {"broker-certificate": ["user.crt", "user.key"]}),
    ):
        made = objects(merged(ON_STRIMZI, {"kafka": {"security": security}}))
        assert made["KafkaUser", "floor"]["spec"]["authentication"] == {"type": how}
        volumes = made["StatefulSet", "floor"]["spec"]["template"]["spec"]["volumes"]
        of_user = {
            volume["name"]: [item["key"] for item in volume["secret"]["items"]]
            for volume in volumes
            if volume.get("secret", {}).get("secretName") == "floor"
        }
        assert of_user == files


def test_the_generator_runs_by_itself() -> None:
    code = "import sys; sys.path.insert(0, 'docs'); import generate; print(len(generate.pages()))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=CHART.parent.parent, capture_output=True, text=True
    )
    assert done.stdout.strip() == str(len(generate.pages())), done.stderr
