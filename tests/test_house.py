"""The rules of the house that no linter knows."""

import ast
import importlib.metadata
import re
import subprocess
from pathlib import Path

import agents
import streams
import tables
from agents.process_events import Job
from agents.settings.settings import Settings
from agents.topology import App
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

PATCHES = {
    "streams/kafka/client.py", "streams/kafka/cluster.py", "streams/kafka/fetched.py",
    "streams/kafka/hang.py", "streams/kafka/producer.py", "streams/kafka/security.py",
}  # fmt: skip
"""Modules that replace names of aiokafka's."""


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


def test_the_core_touches_no_technology() -> None:
    # Pure core, thin shell: no clock, no I/O, no Faust, no logging, no environment.
    edges = {"streams/kafka/transport.py", "streams/kafka/consumer.py", "streams/kafka/member.py",
             "streams/kafka/producer.py", "streams/kafka/writer.py", "streams/kafka/clock.py",
             "streams/kafka/record_batches.py", "streams/kafka/instance.py", "streams/kafka/fetched.py",
             "streams/kafka/hang.py", "streams/kafka/client.py",
             "streams/kafka/identity.py", "streams/kafka/security.py", "streams/secret.py",
             "streams/kafka/cluster.py", "streams/embedded/transport.py", "streams/embedded/log.py", "streams/log/batches.py", "streams/log/owner.py",
             "tables/store/changelog.py", "tables/store/local_copy.py", "tables/store/rocksdb.py"}  # fmt: skip
    forbidden = re.compile(
        r"^\s*(?:import|from) (?:faust|asyncio|logging|os|time|random|rocksdict|aiokafka|aiohttp)\b"
    )
    for path in [*(ROOT / "streams").rglob("*.py"), *(ROOT / "tables").rglob("*.py")]:
        if path.relative_to(ROOT).as_posix() in edges:
            continue
        for line in path.read_text("utf-8").splitlines():
            if line.strip() == "from random import Random":
                continue  # the simulator's own, seeded
            assert not forbidden.match(line), f"{path.name}: {line}"


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
    targets = [
        target
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign)
        for given in (node.targets if isinstance(node, ast.Assign) else [node.target])
        for target in ast.walk(given)
    ] + [
        ast.Attribute(node.args[0], ast.unparse(node.args[1]))
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "setattr"
    ]
    return [
        ast.unparse(target)
        for target in targets
        if isinstance(target, ast.Attribute) and ast.unparse(target).partition(".")[0] in imported
    ]


def test_no_module_sets_names_in_another() -> None:
    # What is set from outside is an import that no rule of layers sees.
    assert assigned_into_imports(
        "from tables.line import closing\nclosing.notify_overdue = notify_overdue"
    ) == ["closing.notify_overdue"]
    assert assigned_into_imports("import aiokafka.conn\nsetattr(aiokafka.conn, name, 1)")
    for folder in ("streams", "tables", "agents"):
        for path in (ROOT / folder).rglob("*.py"):
            name = path.relative_to(ROOT).as_posix()
            if name not in PATCHES:
                assert not assigned_into_imports(path.read_text("utf-8")), name


def test_every_module_says_what_it_holds() -> None:
    for folder in ("streams", "tables", "agents", "benchmarks"):
        for path in (ROOT / folder).rglob("*.py"):
            first = path.read_text("utf-8").splitlines()[0]
            assert re.match(r'"""\S.*\.("""|$)|"""\S', first), f"{path}: {first}"


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
