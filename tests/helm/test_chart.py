"""The Helm chart: what it makes, and with which words it refuses."""

import re
import shlex
import subprocess
import tomllib
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml

from agents.partition import task as partition_task
from agents.serve import http_server
from agents.settings.settings import Settings, read_settings
from agents.worker import run
from charts import (
    CHART,
    EVERYTHING,
    ON_KAFKA,
    ON_STRIMZI,
    PLAINTEXT,
    RELEASE,
    SCHEMAS,
    Objects,
    helm,
    merged,
    objects,
    refusal,
    rendered,
)
from streams.kafka import client as kafka_client
from streams.kafka import member as kafka_member
from streams.kafka import producer as kafka_producer

DESK = f"{RELEASE}-desk"

DOCKERFILE = (CHART.parent.parent / "Dockerfile").read_text("utf-8")
PAGE = (CHART.parent.parent / "docs" / "operating.md").read_text("utf-8")

WAYS = pytest.mark.parametrize(
    "values",
    [ON_KAFKA, ON_STRIMZI, PLAINTEXT, EVERYTHING,
     merged(EVERYTHING, {"kafka": {"security": "ssl"}}),
     merged(PLAINTEXT, {"kafka": {"security": "ssl"}, "autoscaling": {"enabled": True}})],
    ids=["kafka", "strimzi", "plaintext", "everything", "mtls", "tls"],
)  # fmt: skip


def workload(made: Objects) -> dict[str, Any]:
    spec: dict[str, Any] = made["StatefulSet", RELEASE]["spec"]
    return spec


def pod(made: Objects) -> dict[str, Any]:
    spec: dict[str, Any] = workload(made)["template"]["spec"]
    return spec


def container(made: Objects) -> dict[str, Any]:
    (one,) = pod(made)["containers"]
    worker: dict[str, Any] = one
    return worker


def settings_file(made: Objects, tmp_path: Path, name: str = RELEASE) -> Path:
    path = tmp_path / "lineside.toml"
    path.write_text(made["ConfigMap", name]["data"]["lineside.toml"], "utf-8")
    return path


# What Kubernetes takes.


@WAYS
def test_kubernetes_and_the_operators_know_each_member(
    values: dict[str, Any], kubeconform: str
) -> None:
    where = f"{SCHEMAS}/{{{{.ResourceKind}}}}{{{{.KindSuffix}}}}.json"
    done = subprocess.run(
        [kubeconform, "-strict", "-summary", "-schema-location", where],
        input=rendered(values),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout
    assert "Invalid: 0, Errors: 0, Skipped: 0" in done.stdout


@WAYS
def test_helm_finds_nothing_to_say(values: dict[str, Any]) -> None:
    done = helm("lint", str(CHART), "--strict", values=values)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "WARNING" not in done.stdout


def test_a_file_makes_one_kind_of_object() -> None:
    for path in (CHART / "templates").glob("*.yaml"):
        kinds = set(re.findall(r"^kind: (\w+)$", path.read_text("utf-8"), re.MULTILINE))
        assert len(kinds) == 1, path.name
    assert len((CHART / "values.yaml").read_text("utf-8").splitlines()) < 240


@WAYS
def test_all_that_is_made_is_in_the_namespace_and_has_the_releases_labels(
    values: dict[str, Any],
) -> None:
    for (kind, name), each in objects(values).items():
        assert each["metadata"]["namespace"] == "mfg", (kind, name)
        assert each["metadata"]["labels"]["app.kubernetes.io/instance"] == RELEASE


# What runs.


@WAYS
def test_the_pod_is_restricted(values: dict[str, Any]) -> None:
    made = objects(values)
    assert pod(made)["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": 10001,
        "runAsGroup": 10001,
        "fsGroup": 10001,
        "fsGroupChangePolicy": "OnRootMismatch",
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert container(made)["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert pod(made)["automountServiceAccountToken"] is False
    assert made["ServiceAccount", RELEASE]["automountServiceAccountToken"] is False
    kinds = {next(iter(set(volume) - {"name"})) for volume in pod(made)["volumes"]}
    assert kinds == {"emptyDir", "configMap", "secret"}
    assert "useradd --system --uid 10001 " in DOCKERFILE


@WAYS
def test_a_worker_takes_the_settings(values: dict[str, Any], tmp_path: Path) -> None:
    made = objects(values)
    given = {one["name"]: one.get("value", "floor-0") for one in container(made)["env"]}
    own = {name: value for name, value in given.items() if name.startswith("LINESIDE_")}
    assert own.pop("LINESIDE_CONFIG") == "/etc/lineside/settings/lineside.toml"
    settings = read_settings(own, settings_file(made, tmp_path))
    assert settings.instance == "floor-0"
    assert settings.standbys == 1
    assert settings.session_timeout_seconds == 30
    assert settings.log_format == "json"
    assert settings.port == container(made)["ports"][0]["containerPort"]
    image = dict(re.findall(r"(LINESIDE_\w+)=(\S+)", DOCKERFILE))
    assert settings.data_dir == image["LINESIDE_DATA_DIR"]
    assert settings.host == "0.0.0.0"
    assert "LINESIDE_HOST" not in image  # it would go before the chart's


@WAYS
def test_each_file_that_the_settings_name_is_mounted_and_nothing_else(
    values: dict[str, Any], tmp_path: Path
) -> None:
    made = objects(values)
    told = tomllib.loads(settings_file(made, tmp_path).read_text("utf-8"))
    named = {
        str(value).removeprefix("file:")
        for value in told.values()
        if "/etc/lineside/" in str(value)
    }
    volumes = {volume["name"]: volume for volume in pod(made)["volumes"]}
    there = set()
    for mount in container(made)["volumeMounts"]:
        for item in volumes.get(mount["name"], {}).get("secret", {}).get("items", []):
            there.add(f"{mount['mountPath']}/{item['path']}")
            assert mount["readOnly"]
    there |= {
        f"/etc/lineside/settings/{name}"
        for name in made["ConfigMap", RELEASE]["data"]
        if name != "lineside.toml"
    }
    assert named == there
    paths = {mount["mountPath"] for mount in container(made)["volumeMounts"]}
    assert {told["data_dir"], "/tmp"} < paths


def test_no_secret_is_a_value_or_a_variable() -> None:
    text = rendered(EVERYTHING)
    assert "kind: Secret" not in text
    assert "secretKeyRef" not in text


def test_services_of_that_name_dont_become_settings() -> None:
    # LINESIDE_PORT=tcp://... would be Kubernetes' word for the address of the service `lineside`.
    assert pod(objects(ON_KAFKA))["enableServiceLinks"] is False


def test_a_changed_setting_rolls_the_workers_and_nothing_else_does() -> None:
    def mark(changed: dict[str, Any]) -> str:
        template = workload(objects(merged(ON_KAFKA, changed)))["template"]
        annotation: str = template["metadata"]["annotations"]["lineside/settings"]
        return annotation

    before = mark({})
    assert mark({"replicas": 3}) == before
    assert mark({"settings": {"grace_seconds": 60}}) != before
    assert mark({"policy": "# another"}) != before
    assert mark({"kafka": {"bootstrap": "k3:9093"}}) != before


def test_a_worker_has_longer_to_stop_than_it_takes() -> None:
    # What the end of a worker waits for, one after the other: agents/worker/run.py.
    longest = sum((
        partition_task.FINISH_SECONDS_MAX,
        kafka_member.COMMIT_SECONDS_MAX,
        run.FAUST_SECONDS_MAX,
        http_server.SHUTDOWN_SECONDS_MAX,
        kafka_client.CLOSE_SECONDS_MAX + kafka_client.HANG_UP_SECONDS_MAX,  # the producer
        kafka_producer.STOP_SECONDS_MAX,
        kafka_client.CLOSE_SECONDS_MAX + kafka_client.HANG_UP_SECONDS_MAX,  # the member
    ))  # fmt: skip
    given = pod(objects(ON_KAFKA))["terminationGracePeriodSeconds"]
    assert max(longest, run.STOP_SECONDS_MAX) < 15 <= given
    assert "terminationGracePeriodSeconds" in refusal(
        merged(ON_KAFKA, {"terminationGracePeriodSeconds": 14})
    )


def test_probes_ask_for_the_process_the_state_and_progress() -> None:
    worker = container(objects(ON_KAFKA))
    asked = {
        name: worker[f"{name}Probe"]["httpGet"] for name in ("startup", "readiness", "liveness")
    }
    assert {name: each["path"] for name, each in asked.items()} == {
        "startup": "/healthz",
        "readiness": "/readyz",
        "liveness": "/livez",
    }
    assert {each["port"] for each in asked.values()} == {"http"}


def test_autoscaling_leaves_the_count_to_keda_up_to_the_partitions() -> None:
    made = objects(EVERYTHING)
    assert "replicas" not in workload(made)
    scaled = made["ScaledObject", RELEASE]["spec"]
    assert scaled["scaleTargetRef"]["kind"] == "StatefulSet"
    assert scaled["maxReplicaCount"] == 8
    assert [one["metadata"]["topic"] for one in scaled["triggers"]] == [
        "mes.events.v1",
        "machine.events.v1",
    ]
    told = made["TriggerAuthentication", RELEASE]["spec"]
    (login,) = told["env"]
    assert login["name"] in {one["name"] for one in container(made)["env"]}
    assert ("ScaledObject", RELEASE) not in objects(ON_STRIMZI)


def test_nothing_gets_in_but_to_the_page_and_nothing_out_but_to_dns_and_brokers() -> None:
    spec = objects(ON_KAFKA)["NetworkPolicy", RELEASE]["spec"]
    assert spec["policyTypes"] == ["Ingress", "Egress"]
    (into,) = spec["ingress"]
    assert [each["port"] for each in into["ports"]] == ["http"]
    dns, brokers = spec["egress"]
    assert {each["port"] for each in dns["ports"]} == {53}
    assert [each["port"] for each in brokers["ports"]] == [9093, 9094]


def test_prometheus_shows_a_token() -> None:
    (endpoint,) = objects(EVERYTHING)["PodMonitor", RELEASE]["spec"]["podMetricsEndpoints"]
    assert endpoint["authorization"]["credentials"] == {"name": "metrics-token", "key": "token"}
    changed = {"web": {"metricsTokens": {"secret": ""}}}
    (endpoint,) = objects(merged(EVERYTHING, changed))["PodMonitor", RELEASE]["spec"][
        "podMetricsEndpoints"
    ]
    assert endpoint["authorization"]["credentials"] == {"name": "tokens", "key": "tokens"}


def test_topics_outlive_the_release() -> None:
    kept = [each for (kind, _), each in objects(ON_STRIMZI).items() if kind == "KafkaTopic"]
    assert kept
    for topic in kept:
        assert topic["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"


def test_names_of_topics_are_those_that_kubernetes_takes_whatever_kafka_calls_them() -> None:
    grouped = merged(ON_STRIMZI, {"kafka": {"group": "Floor_1"}})
    made = {n: each for (kind, n), each in objects(grouped).items() if kind == "KafkaTopic"}
    assert "floor-1-mes.events.v1-changelog" in made
    assert made["summary.machine-state.v1"]["spec"]["topicName"] == "summary.machine_state.v1"
    for name in made:
        assert re.fullmatch(
            r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*", name
        )


def test_alerts_and_dashboards_are_the_files_as_they_are() -> None:
    made = objects(EVERYTHING)
    text = (CHART / "alerts" / "lineside.rules.yaml").read_text("utf-8")
    at = EVERYTHING["metrics"]["runbooks"]
    given = made["PrometheusRule", RELEASE]["spec"]
    assert given == yaml.safe_load(text.replace("runbook_url: ", f"runbook_url: {at}"))
    files = {path.name: path.read_text("utf-8") for path in CHART.glob("dashboards/*.json")}
    config = made["ConfigMap", f"{RELEASE}-dashboards"]
    assert files
    assert config["data"] == files
    labels = {"grafana_dashboard": "1", "release": "prometheus"}
    assert config["metadata"]["labels"].items() >= labels.items()


def test_each_alert_leads_to_a_runbook_that_is_there() -> None:
    groups = objects(EVERYTHING)["PrometheusRule", RELEASE]["spec"]["groups"]
    at = EVERYTHING["metrics"]["runbooks"]
    for rule in [rule for group in groups for rule in group["rules"] if "alert" in rule]:
        url = rule["annotations"]["runbook_url"]
        assert url.startswith(at)
        assert (CHART.parent.parent / url.removeprefix(at)).is_file(), url


# What docs/operating.md has people type.


def given_on_the_page(verb: str) -> list[list[str]]:
    """Return the `--set`s of each `helm install` or `helm upgrade` of the page."""
    typed = re.findall(rf"^helm {verb} floor ((?:.*\\\n)*.*)$", PAGE, re.MULTILINE)
    words = [shlex.split(each, comments=True) for each in typed]
    return [
        [part for name, one in pairwise(each) if name == "--set" for part in ("--set", one)]
        for each in words
    ]


@pytest.mark.parametrize(("verb", "values"), [("install", {}), ("upgrade", ON_KAFKA)])
def test_what_is_typed_is_taken(verb: str, values: dict[str, Any]) -> None:
    typed = given_on_the_page(verb)
    assert len(typed) > 1
    for sets in typed:
        done = helm("template", RELEASE, str(CHART), *sets, values=values)
        assert done.returncode == 0, (sets, done.stderr)


def test_rights_and_topics_are_made_for_the_worker_that_is_installed() -> None:
    given = dict(
        each.partition("=")[::2]
        for sets in given_on_the_page("install")
        for words in sets[1::2]
        for each in words.split(",")
    )
    assert f"--principal worker=User:{given['kafka.user']}\n" in PAGE
    assert f"lineside topics create --partitions {given['kafka.partitions']}\n" in PAGE


# What it refuses.


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"kafka": {"bootstrap": ""}}, "kafka.bootstrap is empty"),
        ({"kafka": {"bootstrap": "kafka"}}, "kafka/bootstrap"),
        ({"kafka": {"user": ""}}, "kafka.user is empty: kafka.security is sasl_ssl"),
        ({"kafka": {"password": {"secret": ""}}}, "kafka.password.secret is empty"),
        ({"kafka": {"security": "plaintext"}}, "kafka.plaintextHosts is empty"),
        ({"kafka": {"security": "tls"}}, "kafka/security"),
        ({"kafka": {"brokers": "k:9092"}}, "brokers"),
        ({"web": {"readTokens": {"secret": ""}}}, "the page listens on more than loopback"),
        ({"settings": {"grace_second": 5}}, "grace_second"),
        ({"settings": {"grace_seconds": "soon"}}, "settings/grace_seconds"),
        ({"settings": {"session_timeout_seconds": 60}}, "settings/session_timeout_seconds"),
        ({"settings": {"broker": "kafka://k:9092"}}, "broker"),
        ({"settings": {"standbys": 2}}, "settings.standbys is 2, and there can be 2 worker(s)"),
        ({"replicas": 9}, "replicas is 9, and kafka.partitions is 8"),
        ({"replicas": 0}, "replicas"),
        ({"autoscaling": {"enabled": True, "max": 9}}, "autoscaling.max is 9, and kafka.partitions"),
        ({"autoscaling": {"enabled": True, "min": 9}}, "autoscaling.min is 9, and autoscaling.max"),
        ({"strimzi": {"users": {"mes": "mes"}}}, "strimzi.cluster is empty"),
        ({"strimzi": {"cluster": "f", "users": {"mes": "boss"}}}, "strimzi/users/mes"),
        ({"strimzi": {"cluster": "f", "users": {"floor": "mes"}}}, "the worker's own user"),
        ({"image": {"digest": "latest"}}, "image/digest"),
        ({"storage": {"size": 10}}, "storage/size"),
        ({"replica": 3}, "replica"),
    ],
    ids=lambda value: str(value)[:60],
)  # fmt: skip
def test_a_wrong_value_is_refused_by_name(changed: dict[str, Any], words: str) -> None:
    # Helm 3.18 and later names a value as /kafka/security, earlier ones as kafka.security.
    said = refusal(merged(ON_KAFKA, changed))
    assert words.replace("/", ".") in said.replace("/", "."), said


def test_every_setting_can_be_given_but_those_that_the_chart_makes() -> None:
    made = objects(EVERYTHING)
    files = [made["ConfigMap", name]["data"]["lineside.toml"] for name in (RELEASE, DESK)]
    ours = {name for file in files for name in tomllib.loads(file)}
    taken = set(EVERYTHING["settings"])
    for name in set(Settings.__struct_fields__) - ours - taken:
        default = getattr(Settings(), name)
        if name in (
            "partitions",
            "instance",
            "plaintext_brokers",
            "broker_certificate",
            "broker_key",
        ):
            continue  # of the embedded log, of a pod, of the other ways to log in
        given = {"settings": {name: default}}
        assert ("StatefulSet", RELEASE) in objects(merged(ON_KAFKA, given)), name


# The desk.

WITH_DESK = merged(ON_STRIMZI, {"desk": EVERYTHING["desk"]})


def desk(made: Objects) -> dict[str, Any]:
    spec: dict[str, Any] = made["Deployment", DESK]["spec"]
    return spec


def test_the_desk_runs_only_where_it_is_asked_for() -> None:
    assert not [name for _, name in objects(ON_STRIMZI) if name.startswith(DESK)]


def test_the_desk_takes_the_settings_and_each_file_that_they_name(tmp_path: Path) -> None:
    made = objects(WITH_DESK)
    settings = read_settings({}, settings_file(made, tmp_path, DESK))
    (one,) = desk(made)["template"]["spec"]["containers"]
    assert settings.desk_port == one["ports"][0]["containerPort"]
    assert settings.database == "postgresql://lineside@db:5433/lineside"
    assert settings.broker_user == DESK
    assert len(settings.desk_workers) == 2
    told = tomllib.loads(settings_file(made, tmp_path, DESK).read_text("utf-8"))
    named = {str(each).removeprefix("file:") for each in told.values() if "/etc/" in str(each)}
    volumes = {each["name"]: each for each in desk(made)["template"]["spec"]["volumes"]}
    there = {
        f"{mount['mountPath']}/{item['path']}"
        for mount in one["volumeMounts"]
        for item in volumes[mount["name"]].get("secret", {}).get("items", [])
    }
    assert named == there


def test_the_desk_is_as_restricted_as_a_worker_and_no_service_of_workers_finds_it() -> None:
    made = objects(WITH_DESK)
    spec = desk(made)["template"]["spec"]
    assert spec["securityContext"] == pod(made)["securityContext"]
    assert spec["containers"][0]["securityContext"] == container(made)["securityContext"]
    labels = desk(made)["template"]["metadata"]["labels"]
    for name in (RELEASE, f"{RELEASE}-workers"):
        selector = made["Service", name]["spec"]["selector"]
        assert not selector.items() <= labels.items()
    assert made["Service", DESK]["spec"]["selector"].items() <= labels.items()


def test_the_desk_gets_out_to_brokers_database_and_workers_and_nowhere_else() -> None:
    made = objects(WITH_DESK)
    ports = [
        [port["port"] for port in each["ports"]]
        for each in made["NetworkPolicy", DESK]["spec"]["egress"]
    ]
    assert ports == [[53, 53], [9093], [5433], ["http"]]
    into = made["NetworkPolicy", RELEASE]["spec"]["ingress"]
    assert {"app.kubernetes.io/name": "lineside-desk"}.items() <= into[-1]["from"][0][
        "podSelector"
    ]["matchLabels"].items()


def test_what_the_desk_is_set_to_leaves_the_workers_as_they_are() -> None:
    before = workload(objects(WITH_DESK))["template"]
    other = {"database": {"url": "postgresql://lineside@other/lineside"}}
    assert workload(objects(merged(WITH_DESK, {"desk": other})))["template"] == before


def test_strimzi_gives_the_desk_a_user_with_the_rights_of_a_desk() -> None:
    user = objects(WITH_DESK)["KafkaUser", DESK]["spec"]
    assert {"audit.v1"} <= {each["resource"]["name"] for each in user["authorization"]["acls"]}


def test_a_desk_without_a_database_or_tokens_is_refused() -> None:
    no_database = merged(WITH_DESK, {"desk": {"database": {"url": ""}}})
    assert "desk.database.url is empty" in refusal(no_database)
    assert "desk.tokens.secret is empty" in refusal(
        merged(WITH_DESK, {"desk": {"tokens": {"secret": ""}}})
    )
    own = {"strimzi": {"users": {DESK: "mes"}}}
    assert "the desk's own user" in refusal(merged(WITH_DESK, own))
