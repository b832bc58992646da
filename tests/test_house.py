"""The rules of the house that no linter knows."""

import ast
import importlib.metadata
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

import agents
import streams
import tables
from agents.process_events import Job
from agents.settings.settings import Settings
from agents.topology import App
from compiled_imports import broken_contracts
from streams.embedded import transport as embedded
from streams.kafka import transport as kafka
from streams.log import owner

ROOT = Path(__file__).parent.parent
TRACKED = [
    ROOT / name
    for name in subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    if (ROOT / name).is_file()
]

ALLOWED = [
    # It calls the functions of the C library in the xxhash package, which has no headers to offer.
    ("streams.values.hashing", "ctypes"),
]


def test_our_packages_are_ours() -> None:
    # PyTables imports as `tables`, openai-agents as `agents`: installers overwrite silently.
    for package in (agents, streams, tables):
        assert package.__file__ is not None
        assert Path(package.__file__).parent.parent == ROOT


def test_the_transports_are_registered() -> None:
    found = {
        point.name: point.value
        for point in importlib.metadata.entry_points(group="faust.transports")
    }
    assert found.items() >= {
        ("embedded", "streams.embedded.transport:Transport"),
        ("batches", "streams.kafka.transport:Transport"),
    }


def test_every_requirement_is_locked_with_a_hash() -> None:
    for name in ("requirements.lock", "requirements-dev.lock", "requirements-sbom.lock"):
        entries = re.split(r"\n(?=\S)", (ROOT / name).read_text().strip())
        assert len(entries) > 20
        for entry in entries:
            assert re.match(r"[\w.\[\]-]+==[\w.]+", entry), entry
            assert "--hash=sha256:" in entry, entry


def test_compiled_modules_keep_to_the_layers() -> None:
    assert broken_contracts({}, ALLOWED) == []
    assert broken_contracts({}) == [
        "Pure rooms touch no clock, no chance, no I/O and no technology"
    ]


@pytest.mark.parametrize(
    ("module", "source", "contract"),
    [
        ("streams.log.blocks", "from streams.contract.rejection import KEY_BYTES", "streams:"),
        ("streams.values.planted", "cimport streams.log.blocks", "streams:"),
        ("streams.codec.scanning", "from tables.line cimport rows", "Imports go one way"),
        ("tables.store.held", "from tables.partition.head import (\n    HEAD,\n)", "tables:"),
        ("tables.line.rows", "def f():\n    from time import monotonic", "Pure rooms"),
        ("tables.line.line", "from tables.line.closing import close", "No circles"),
    ],
)
def test_an_arrow_upwards_in_a_compiled_module_is_seen(
    module: str, source: str, contract: str
) -> None:
    broken = broken_contracts({module: source}, ALLOWED)
    assert any(name.startswith(contract) for name in broken), broken


def test_every_agent_is_apart_from_every_other() -> None:
    options = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    (contract,) = [
        contract
        for contract in options["tool"]["importlinter"]["contracts"]
        if contract.get("containers") == ["agents"]
    ]
    (apart,) = [layer for layer in contract["layers"] if "process_events" in layer]
    agents_ = {path.stem for path in (ROOT / "agents").glob("*.py")} - {"__init__", "topology"}
    assert set(apart.split(" | ")) == agents_


def test_what_a_transport_asks_of_the_job_is_typed() -> None:
    # Faust hands the app to the transport: these are the places where it stops being Any.
    assert App.__annotations__ == {"job": Job, "host": owner.Owner}
    for module in (embedded, kafka):
        for transported in (module.Consumer, module.Producer):
            assert owner.App in transported.__annotations__["app"].__mro__


def assigned_into_imports(source: str) -> list[str]:
    """Return the names that a module sets in what it has imported."""
    tree = ast.parse(source)
    imported = {
        (name.asname or name.name).partition(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in node.names
    } - {"sys"}  # its streams are this process's own
    nodes = list(ast.walk(tree))
    targets = [
        *(
            one
            for one in nodes
            if isinstance(one, ast.Attribute) and isinstance(one.ctx, ast.Store)
        ),
        *(
            ast.Attribute(one.args[0], ast.unparse(one.args[1]))
            for one in nodes
            if isinstance(one, ast.Call) and ast.unparse(one.func) == "setattr"
        ),
    ]
    names = [ast.unparse(target) for target in targets]
    return [name for name in names if name.partition(".")[0] in imported]


def test_no_module_sets_names_in_another() -> None:
    # What is set from outside is an import that no rule of layers sees. Names of aiokafka's are
    # replaced by a list, in streams/kafka/aiokafka_patches.py.
    assert assigned_into_imports(
        "from tables.line import closing\nclosing.notify_overdue = notify_overdue"
    ) == ["closing.notify_overdue"]
    assert assigned_into_imports("import aiokafka.conn\nsetattr(aiokafka.conn, name, 1)")
    for folder in ("streams", "tables", "agents"):
        for path in (ROOT / folder).rglob("*.py"):
            assert not assigned_into_imports(path.read_text("utf-8")), path.name


def test_no_path_of_a_machine_and_no_package_host_is_in_the_repository() -> None:
    word = re.compile(rb"/root/|/work/|pypi\.org|files\.pythonhosted|repo1\.maven|registry\.npmjs")
    for path in TRACKED:
        if path != Path(__file__):
            found = word.search(path.read_bytes())
            assert found is None, f"{path.relative_to(ROOT)}: {found[0]!r}"


def test_each_setting_is_in_the_page_of_settings() -> None:
    page = (ROOT / "docs" / "settings.md").read_text("utf-8")
    for name in Settings.__struct_fields__:
        assert f"`{name}`" in page, name


def test_links_between_pages_lead_somewhere() -> None:
    for path in TRACKED:
        if path.suffix == ".md":
            for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", path.read_text("utf-8")):
                if "://" not in target:
                    assert (path.parent / target).exists(), f"{path.name}: {target}"
