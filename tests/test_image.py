"""The image and `compose.yaml`: what they call and set is what lineside has."""

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from agents.cli.main import main
from agents.serve.access import access_of
from agents.settings.cluster import cluster_of
from agents.settings.desk import rights_problem
from agents.settings.settings import Settings, read_settings

ROOT = Path(__file__).parent.parent
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text("utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
DOCKERFILE = (ROOT / "Dockerfile").read_text("utf-8")

OURS = {name: one for name, one in SERVICES.items() if one["image"] == "lineside"}
HADOLINT = shutil.which("hadolint", path=str(Path(sys.executable).parent)) or shutil.which(
    "hadolint"
)


IN_IMAGE = dict(re.findall(r"(LINESIDE_\w+)=(\S+)", DOCKERFILE.rpartition("FROM")[2]))
"""What the image sets."""


def settings_of(service: str) -> Settings:
    """Return what a service of ours is set to, in its image."""
    given = dict(IN_IMAGE)
    own = OURS[service]["environment"]
    return read_settings(given | {name: own[name] for name in own if name.startswith("LINESIDE_")})


@pytest.mark.skipif(HADOLINT is None, reason="needs hadolint")
def test_a_linter_finds_nothing_to_say() -> None:
    done = subprocess.run([HADOLINT, ROOT / "Dockerfile"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("words", [one["command"] for one in OURS.values()], ids=" ".join)
def test_commands_are_understood(words: list[str]) -> None:
    assert 'ENTRYPOINT ["lineside"]' in DOCKERFILE
    command: click.Command = main
    left = list(words)
    while isinstance(command, click.Group) and left:
        command = command.commands[left.pop(0)]
    command.make_context(command.name, left)  # parses, and runs nothing


def test_settings_are_understood_and_safe_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    assert set(OURS) == {"topics", "worker", "desk", "simulator"}
    for name, service in OURS.items():
        settings = settings_of(name)
        token = re.fullmatch(r"\$\{PAGE_TOKEN:-(\S+)\}", service["environment"]["PAGE_TOKEN"])
        assert token is not None
        monkeypatch.setenv("PAGE_TOKEN", token[1])
        assert settings.host == "0.0.0.0"
        assert cluster_of(settings).servers == ("kafka:9092",)
        access_of(settings)
        assert f"/#token={token[1]}" in (ROOT / "compose.yaml").read_text("utf-8")
    assert settings_of("worker").instance


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["--help"], 0),
        (["demo", "--seconds", "1", "--port", "0"], 0),
        (["demo", "--seconds", "1", "--port", "0", "--host", "0.0.0.0"], 0),
        (["worker", "--port", "0"], 0),
        (["worker", "--port", "0", "--host", "0.0.0.0"], 2),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_command_in_the_image_runs_with_nothing_else_set(
    words: list[str], code: int, tmp_path: Path
) -> None:
    """As `docker run IMAGE WORDS` would; a page that others reach takes a token."""
    assert IN_IMAGE.keys() == {"LINESIDE_DATA_DIR"}
    own = {name: value for name, value in os.environ.items() if "LINESIDE" not in name}
    process = subprocess.Popen(
        [str(Path(sys.executable).with_name("lineside")), *words],
        env={**own, **IN_IMAGE, "LINESIDE_DATA_DIR": str(tmp_path)},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        if words[0] == "worker" and not code:
            assert process.stderr is not None
            begun = next(line for line in process.stderr if line.startswith("lineside worker: "))
            assert begun.startswith("lineside worker: http://127.0.0.1:")
            process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == code, err
    assert ("set read_tokens, or leave host at 127.0.0.1" in err) == (code == 2)


def test_state_is_on_the_volume_and_the_page_on_the_port() -> None:
    worker = settings_of("worker")
    assert f"worker-data:{worker.data_dir}" in OURS["worker"]["volumes"]
    assert f"127.0.0.1:8080:{worker.port}" in OURS["worker"]["ports"]
    desk = settings_of("desk")
    assert f"127.0.0.1:8081:{desk.desk_port}" in OURS["desk"]["ports"]
    assert f"EXPOSE {Settings().port} {Settings().desk_port}\n" in DOCKERFILE


def test_the_desk_finds_its_database_and_the_worker() -> None:
    desk, postgres = settings_of("desk"), SERVICES["postgres"]["environment"]
    where = f"{postgres['POSTGRES_USER']}@postgres/{postgres['POSTGRES_DB']}"
    assert desk.database == f"postgresql://{where}"
    own = OURS["desk"]["environment"]
    assert own[desk.database_password.removeprefix("env:")] == postgres["POSTGRES_PASSWORD"]
    assert desk.desk_workers == (f"http://worker:{settings_of('worker').port}",)
    token, name, *rights = own[desk.desk_tokens.removeprefix("env:")].split()
    assert token == own["PAGE_TOKEN"]
    assert name
    assert rights_problem(rights) is None


def test_a_service_of_ours_writes_to_its_volume_alone() -> None:
    for one in OURS.values():
        assert one["read_only"] is True
        assert one["tmpfs"] == ["/tmp"]
        assert one["cap_drop"] == ["ALL"]
        assert one["security_opt"] == ["no-new-privileges:true"]
    assert re.search(r"^USER 10001:10001$", DOCKERFILE, re.MULTILINE)


def test_nothing_is_reached_from_outside_this_machine() -> None:
    published = [port for one in SERVICES.values() for port in one.get("ports", [])]
    assert published
    assert all(port.startswith("127.0.0.1:") for port in published)


def test_prometheus_asks_the_worker_and_reads_the_charts_rules() -> None:
    config = yaml.safe_load(COMPOSE["configs"]["prometheus"]["content"])
    (job,) = config["scrape_configs"]
    assert job["static_configs"] == [{"targets": [f"worker:{settings_of('worker').port}"]}]
    assert job["authorization"] == {"credentials": OURS["worker"]["environment"]["PAGE_TOKEN"]}
    assert "./helm/lineside/alerts:/etc/prometheus/alerts:ro" in SERVICES["prometheus"]["volumes"]
    (rules,) = config["rule_files"]
    assert rules == "/etc/prometheus/alerts/lineside.rules.yaml"


def test_grafana_shows_the_charts_dashboards() -> None:
    (provider,) = yaml.safe_load(COMPOSE["configs"]["grafana-dashboards"]["content"])["providers"]
    mounted = f"./helm/lineside/dashboards:{provider['options']['path']}:ro"
    assert mounted in SERVICES["grafana"]["volumes"]
    home = SERVICES["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert home == f"{provider['options']['path']}/overview.json"


def test_what_is_in_the_image_is_locked_and_listed() -> None:
    installed = re.findall(r"pip install (?!--no-deps)(.*?)(?: \\)?$", DOCKERFILE, re.MULTILINE)
    assert installed == [
        "--require-hashes --requirement requirements.lock",
        "--require-hashes --requirement requirements-sbom.lock",
    ]
    built, _, image = DOCKERFILE.rpartition("\nFROM ")
    assert "cyclonedx-py environment" in built
    assert "apt-get" not in image
    gone = re.search(r"pip uninstall --yes \\\n\s+(.*) \\$", built, re.MULTILINE)
    assert gone is not None
    locked = (ROOT / "requirements.lock").read_text("utf-8")
    for name in gone[1].split():
        assert re.search(rf"^{name}==", locked, re.MULTILINE), name


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
    name, _, version = SERVICES["kafka"]["image"].partition(":")
    assert name == "apache/kafka"
    assert f"<version>{version}</version>" in (ROOT / "tests/kafka/pom.xml").read_text("utf-8")
