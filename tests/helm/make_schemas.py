"""Makes schemas/: what Kubernetes and the operators take, for kubeconform, without descriptions.

`python tests/helm/make_schemas.py STRIMZI` needs pip and Go. STRIMZI is a folder with the resource
definitions of `KafkaTopic` and `KafkaUser`, from Strimzi's release or made by the `crd-generator` of
its Maven repository (`io.strimzi.crdgenerator.CrdGenerator --yaml --target-kube 1.25+
io.strimzi.api.kafka.model.topic.KafkaTopic=... io.strimzi.api.kafka.model.user.KafkaUser=...`).
"""

import json
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any, Final

import yaml

KUBERNETES: Final = "1.36.0"
WHEEL: Final = "kubernetes-validate==1.37.0"
"""It has the schemas of several versions of Kubernetes."""

MODULES: Final = {
    "github.com/prometheus-operator/prometheus-operator@v0.85.0": (
        "example/prometheus-operator-crd/monitoring.coreos.com_podmonitors.yaml",
        "example/prometheus-operator-crd/monitoring.coreos.com_prometheusrules.yaml",
    ),
    "github.com/kedacore/keda/v2@v2.21.0": (
        "config/crd/bases/keda.sh_scaledobjects.yaml",
        "config/crd/bases/keda.sh_triggerauthentications.yaml",
    ),
}

KINDS: Final = (
    "configmap-v1", "deployment-apps-v1", "networkpolicy-networking-v1",
    "poddisruptionbudget-policy-v1", "service-v1", "serviceaccount-v1", "statefulset-apps-v1",
)  # fmt: skip

FOLDER: Final = Path(__file__).with_name("schemas")

LEFT_OUT: Final = frozenset({"description", "default", "$id", "$schema", "status"})


def main() -> None:
    """Write all schemas anew."""
    (strimzi,) = sys.argv[1:]
    for old in FOLDER.glob("*.json"):
        old.unlink()
    with tempfile.TemporaryDirectory() as folder:
        of_kubernetes(Path(folder))
    definitions = [*Path(strimzi).glob("*.yaml")]
    for module, paths in MODULES.items():
        told = subprocess.run(
            ["go", "mod", "download", "-json", module], capture_output=True, check=True
        )
        definitions += [Path(json.loads(told.stdout)["Dir"], path) for path in paths]
    for path in definitions:
        of_definition(yaml.safe_load(path.read_text("utf-8")))


def of_kubernetes(folder: Path) -> None:
    """Write the schemas of Kubernetes' own kinds, each with what it refers to."""
    pip = [sys.executable, "-m", "pip", "--quiet", "download", "--no-deps"]
    subprocess.run([*pip, WHEEL, "--dest", folder], check=True)
    (wheel,) = folder.glob("*.whl")
    root = f"kubernetes_validate/kubernetes-json-schema/v{KUBERNETES}-local-strict"
    with zipfile.ZipFile(wheel) as archive:
        shared = json.loads(archive.read(f"{root}/_definitions.json"))["$defs"]
        for kind in KINDS:
            schema = json.loads(archive.read(f"{root}/{kind}.json"))
            needed: dict[str, Any] = {}
            local = _local(schema, shared, needed)
            _write(kind, local | {"$defs": needed})


def of_definition(definition: dict[str, Any]) -> None:
    """Write the schema of each version of a custom resource."""
    spec = definition["spec"]
    group = spec["group"].split(".")[0]
    for version in spec["versions"]:
        if version["served"]:
            schema = _strict(version["schema"]["openAPIV3Schema"])
            schema["properties"]["metadata"] = {"type": "object"}
            _write(f"{spec['names']['singular']}-{group}-{version['name']}", schema)


def _local(value: Any, shared: dict[str, Any], needed: dict[str, Any]) -> Any:
    """Return a schema whose references are its own; `needed` gets what they mean."""
    if isinstance(value, list):
        return [_local(each, shared, needed) for each in value]
    if not isinstance(value, dict):
        return value
    if "$ref" in value:
        name = value["$ref"].rpartition("/")[2]
        if name not in needed:
            needed[name] = {}
            needed[name] = _local(shared[name], shared, needed)
        return {"$ref": f"#/$defs/{name}"}
    return {
        name: {inner: _local(each, shared, needed) for inner, each in said.items()}
        if name == "properties"
        else _local(said, shared, needed)
        for name, said in value.items()
        if name not in LEFT_OUT
    }


def _strict(value: Any) -> Any:
    """Return the JSON schema of a structural one: what isn't named isn't allowed."""
    if isinstance(value, list):
        return [_strict(each) for each in value]
    if not isinstance(value, dict):
        return value
    if value.get("x-kubernetes-int-or-string"):
        return {"type": ["integer", "string"]}
    made = {
        name: {inner: _strict(each) for inner, each in said.items() if inner != "status"}
        if name == "properties"
        else _strict(said)
        for name, said in value.items()
        if name not in LEFT_OUT and not name.startswith("x-kubernetes-") and name != "nullable"
    }
    if "properties" in made and not value.get("x-kubernetes-preserve-unknown-fields"):
        made.setdefault("additionalProperties", False)
    return made


def _write(name: str, schema: dict[str, Any]) -> None:
    text = json.dumps(schema, sort_keys=True, separators=(",", ":"))
    (FOLDER / f"{name}.json").write_text(f"{text}\n", "utf-8")


if __name__ == "__main__":
    main()
