"""The image and `compose.yaml`: what they call and set is what lineside has."""

import json
import re
from pathlib import Path

import click
import pytest

from agents.worker.access import access_of
from agents.worker.cli import main
from agents.worker.security import cluster_of
from agents.worker.settings import Settings, read_settings

ROOT = Path(__file__).parent.parent
COMPOSE = (ROOT / "compose.yaml").read_text("utf-8")
DOCKERFILE = (ROOT / "Dockerfile").read_text("utf-8")

COMMANDS = [
    json.loads(found) for found in re.findall(r"^    command: (\[.*\])$", COMPOSE, re.MULTILINE)
]


def test_each_service_but_kafka_has_a_command() -> None:
    services = re.findall(r"^  (\w+):\n(?:    .*\n)*?    <<: \*lineside$", COMPOSE, re.MULTILINE)
    assert services == ["topics", "worker", "simulator"]
    assert len(COMMANDS) == COMPOSE.count("command:") == len(services)
    assert 'ENTRYPOINT ["lineside"]' in DOCKERFILE


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_commands_are_understood(words: list[str]) -> None:
    command: click.Command = main
    left = list(words)
    while isinstance(command, click.Group):
        command = command.commands[left.pop(0)]
    command.make_context(command.name, left)  # parses, and runs nothing


def test_settings_are_understood_and_safe_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    text = COMPOSE + DOCKERFILE
    given = dict(re.findall(r"(LINESIDE_\w+)(?:=|: )(\S+)", text))
    token = re.search(r"PAGE_TOKEN: \$\{PAGE_TOKEN:-(\S+)\}", COMPOSE)
    assert token is not None
    monkeypatch.setenv("PAGE_TOKEN", token[1])
    assert set(re.findall(r"LINESIDE_\w+", text)) - set(given) <= {"LINESIDE_PORT", "LINESIDE_CORE"}
    settings = read_settings(given)
    assert settings.host == "0.0.0.0"
    assert settings.broker == "kafka://kafka:9092"
    assert cluster_of(settings).servers == ("kafka:9092",)
    access_of(settings)
    assert f"/#token={token[1]}" in COMPOSE


def test_state_is_on_the_volume_and_the_page_on_the_port() -> None:
    given = dict(re.findall(r"(LINESIDE_\w+)=(\S+)", DOCKERFILE))
    assert f"worker-data:{given['LINESIDE_DATA_DIR']}\n" in COMPOSE
    assert f'"127.0.0.1:8080:{Settings().port}"' in COMPOSE
    assert f"EXPOSE {Settings().port}\n" in DOCKERFILE


def test_all_that_is_copied_is_there_and_not_ignored() -> None:
    copied = [
        name
        for names in re.findall(r"^COPY (?!--from)(.*) \S+$", DOCKERFILE, re.MULTILINE)
        for name in names.split()
    ]
    ignored = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    assert copied
    assert "*" in ignored
    for name in copied:
        assert (ROOT / name).exists()
        assert f"!{name}" in ignored


def test_kafka_is_the_one_that_tests_run_on() -> None:
    image = re.search(r"image: apache/kafka:(\S+)", COMPOSE)
    assert image is not None
    assert f"<version>{image[1]}</version>" in (ROOT / "tests/kafka/pom.xml").read_text("utf-8")
