"""The chart as Helm renders it: its objects, or the words with which it refuses."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

CHART = Path(__file__).parent.parent.parent / "helm" / "lineside"
SCHEMAS = Path(__file__).with_name("schemas")
"""Of Kubernetes and the operators: written by make_schemas.py."""

RELEASE, NAMESPACE, KUBERNETES = "floor", "mfg", "1.36.0"

Objects = dict[tuple[str, str], dict[str, Any]]
"""By kind and name."""

ON_KAFKA = {
    "kafka": {"bootstrap": "k1.example:9093,k2.example:9094", "user": "worker",
              "password": {"secret": "worker-login"}, "ca": {"secret": "brokers-ca"}},
    "web": {"readTokens": {"secret": "tokens"}},
}  # fmt: skip
"""The least that has to be given with a Kafka of one's own."""

ON_STRIMZI = {
    "strimzi": {"cluster": "factory"},
    "web": {"readTokens": {"secret": "tokens"}},
}
"""The least with a Kafka of Strimzi's."""

PLAINTEXT = {
    "kafka": {"bootstrap": "kafka:9092", "security": "plaintext", "plaintextHosts": ["kafka"]},
    "web": {"readTokens": {"secret": "tokens"}},
}

EVERYTHING = ON_STRIMZI | {
    "strimzi": {"cluster": "factory", "users": {"mes-de01": "mes", "erp": "erp", "bi": "analyst"}},
    "settings": {"standbys": 1, "mes_retention_seconds": 1_209_600,
                 "time_zones": {"MX01": "America/Mexico_City", "DE01": "Europe/Berlin"}},
    "policy": "# one's own\n[transactions]\n",
    "image": {"digest": f"sha256:{'0' * 64}", "pullSecrets": ["registry"]},
    "web": {"readTokens": {"secret": "tokens"}, "metricsTokens": {"secret": "metrics-token"}},
    "storage": {"className": "local-nvme"},
    "nodeSelector": {"disk": "nvme"},
    "tolerations": [{"key": "mfg", "operator": "Exists"}],
    "podLabels": {"team": "mfg"},
    "podAnnotations": {"note": "x"},
    "networkPolicy": {
        "from": [{"namespaceSelector": {"matchLabels": {"name": "monitoring"}}}],
        "brokers": [{"ipBlock": {"cidr": "10.0.0.0/8"}}],
    },
    "metrics": {"podMonitor": True, "rules": True, "dashboards": True,
                "runbooks": "https://wiki.example/lineside/",
                "labels": {"release": "prometheus"}},
    "autoscaling": {"enabled": True},
    "desk": {"enabled": True, "tokens": {"secret": "desk-tokens"},
             "database": {"url": "postgresql://lineside@db:5433/lineside",
                          "password": {"secret": "db-login"}}},
}  # fmt: skip
"""With every object that the chart has."""


def program(name: str, *folders: Path) -> str | None:
    """Return where a program is: beside Python, in one of the folders, or on the path."""
    places = [Path(sys.executable).parent, *folders]
    return shutil.which(name, path=os.pathsep.join(map(str, places))) or shutil.which(name)


def helm(*arguments: str, values: dict[str, Any]) -> subprocess.CompletedProcess[str]:
    """Run Helm on the chart; values that aren't there keep their defaults."""
    found = program("helm")
    assert found is not None
    return subprocess.run(
        [
            found,
            *arguments,
            "--namespace",
            NAMESPACE,
            "--kube-version",
            KUBERNETES,
            "--values",
            "-",
        ],
        input=json.dumps(values),
        capture_output=True,
        text=True,
        timeout=60,
    )


def rendered(values: dict[str, Any]) -> str:
    """Return what Helm makes of the chart with these values."""
    done = helm("template", RELEASE, str(CHART), values=values)
    assert done.returncode == 0, done.stderr
    return done.stdout


def objects(values: dict[str, Any]) -> Objects:
    """Return the objects that the chart makes; no two have one name."""
    told = [each for each in yaml.safe_load_all(rendered(values)) if each is not None]
    named = {(each["kind"], each["metadata"]["name"]): each for each in told}
    assert len(named) == len(told)
    return named


def refusal(values: dict[str, Any]) -> str:
    """Return why Helm doesn't render the chart with these values."""
    done = helm("template", RELEASE, str(CHART), values=values)
    assert done.returncode != 0, "it took that"
    return done.stderr


def merged(values: dict[str, Any], changed: dict[str, Any]) -> dict[str, Any]:
    """Return values with some of them changed, however deep they are."""
    return values | {
        name: merged(values[name], new)
        if isinstance(new, dict) and isinstance(values.get(name), dict)
        else new
        for name, new in changed.items()
    }
