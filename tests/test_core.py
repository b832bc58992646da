"""Which core runs is said as it is: all compiled modules are asked, and a missing one says why."""

import ast
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal

import msgspec
import pytest

from agents.serve import job_metrics as readings
from compiled import TWINS, WITHOUT_TWINS, needs_core
from streams.contract.events import TYPES
from streams.contract.policy import MEASURES_MAX
from streams.core import MODULES, WITH_SOURCES, Core, core_of

ROOT = Path(__file__).parent.parent

ASK = """
import json
from streams import core
built, opened = core._built, core.ExtensionFileLoader.create_module
core._built = lambda name: None if name == {absent!r} else built(name)
def create_module(self, spec):
    if self.name == {broken!r}:
        raise ImportError("its library has other symbols")
    return opened(self, spec)
core.ExtensionFileLoader.create_module = create_module
import agents.worker.run
from tables.line.rows import Row
import tables.partition.partition
names = [name for name in core.MODULES if not (m := __import__("sys").modules.get(name))
         or m.__file__.endswith(".py")]
print(json.dumps([core.core_of().name, core.core_of().text, Row([1]).measures, names]))
"""


def asked(absent: str = "", broken: str = "", plain: bool = False) -> tuple[Core, list[str]]:
    """Return which core a process says that it has, and which of the modules aren't compiled."""
    done = subprocess.run(
        [sys.executable, "-c", ASK.format(absent=absent, broken=broken)],
        cwd=ROOT, capture_output=True, text=True, check=True,
        env={**os.environ, "LINESIDE_CORE": "plain" if plain else ""},
    )  # fmt: skip
    name, text, sums, uncompiled = json.loads(done.stdout)
    assert sums == [1]
    return Core(name, text), uncompiled


def test_every_compiled_module_is_asked() -> None:
    own = [*ROOT.glob("streams/**/*.pyx"), *ROOT.glob("tables/**/*.pyx")]
    names = {".".join(path.relative_to(ROOT).with_suffix("").parts) for path in own}
    assert set(MODULES) == names | set(WITH_SOURCES)
    assert len(set(MODULES)) == len(MODULES)
    for module in WITH_SOURCES:
        source = ROOT.joinpath(*module.split(".")).with_suffix(".py")
        assert source.exists()
        assert source.with_suffix(".pxd").exists()


def hatch_build() -> Any:
    """Return the build's own module, which lies in no package."""
    spec = spec_from_file_location("hatch_build", ROOT / "hatch_build.py")
    assert spec is not None
    assert spec.loader is not None
    build = module_from_spec(spec)
    spec.loader.exec_module(build)
    return build


def test_every_compiled_module_is_built() -> None:
    built = [path.as_posix() for path in hatch_build().sources(ROOT)]
    assert sorted(built) == built
    assert {path.rpartition(".")[0].replace("/", ".") for path in built} == set(MODULES)


def chosen(source: str) -> set[str]:
    """Return the names that a module imports where a compiled module is loaded."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.If) and (
            "loaded(" in ast.unparse(node.test) or "COMPILED" in ast.unparse(node.test)
        ):
            for one in ast.walk(node):
                if isinstance(one, ast.ImportFrom):
                    found |= {name.name for name in one.names}
    return found


def test_each_compiled_name_has_a_plain_twin_and_a_test_that_holds_them_equal() -> None:
    sources = [
        path.read_text()
        for folder in ("streams", "tables", "agents")
        for path in (ROOT / folder).rglob("*.py")
    ]
    names = set().union(*map(chosen, sources))
    assert {"placed_by", "whole_records", "lay_over"} <= names
    twins = {twin.source or twin.name for twin in TWINS}
    assert names == twins | set(WITHOUT_TWINS)
    for twin in TWINS:
        told = (ROOT / twin.test).read_text()
        assert "all_plain" in told or f"{twin.name}_plain" in told or f"{twin.source}_plain" in told


def test_compiled_modules_are_loaded_in_one_place() -> None:
    for folder in ("streams", "tables", "agents"):
        for path in (ROOT / folder).rglob("*.py"):
            if path.name != "core.py":
                assert "except ImportError" not in path.read_text(), path


def names_used(path: Path) -> Iterator[tuple[str, str]]:
    """Yield (compiled module, name) of what a Python module uses by way of Python's own look-ups."""
    beside = path.with_suffix(".pxd")
    declared = beside.read_text() if beside.exists() else ""
    told = re.findall(r"\bcimport\s+(\([^)]*\)|[^\n]+)", declared)
    cimported = set(re.findall(r"\w+", " ".join(told)))
    modules = {}
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            for name in node.names:
                own = name.asname or name.name
                if own not in cimported and f"{node.module}.{name.name}" in MODULES:
                    modules[own] = f"{node.module}.{name.name}"
                elif own not in cimported and node.module in MODULES:
                    yield node.module or "", name.name
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            module = modules.get(node.value.id)
            if module is not None:
                yield module, node.attr


def test_python_uses_no_name_of_a_compiled_module_that_only_compiled_code_can_see() -> None:
    """Such a name is there as long as nothing is compiled: then it's an `AttributeError`."""
    needs_core()
    python = [
        path
        for folder in ("streams", "tables", "agents")
        for path in (ROOT / folder).rglob("*.py")
        if not path.with_suffix(".pyx").exists() and path.name != "spans.py"  # plain twins
    ]
    used = {(str(path.relative_to(ROOT)), *each) for path in python for each in names_used(path)}
    assert len(used) > 100
    hidden = sorted(each for each in used if not hasattr(import_module(each[1]), each[2]))
    assert hidden == []


def test_a_core_that_is_whole_is_compiled() -> None:
    needs_core()
    assert core_of() == Core("compiled", "compiled")
    assert asked() == (core_of(), [])


@pytest.mark.parametrize("module", ["streams.log.blocks", "tables.line.rows"])
def test_without_one_of_its_modules_the_core_is_plain_and_says_which(module: str) -> None:
    needs_core()
    core, uncompiled = asked(absent=module)
    assert core.name == "plain"
    assert core.text == f"plain, because {module} wasn't built, which takes gcc and python3-dev"
    assert uncompiled == list(MODULES)
    core, uncompiled = asked(broken=module)
    assert core.name == "plain"
    assert core.text == f"plain, because {module} can't be loaded: its library has other symbols"
    assert uncompiled == list(MODULES)


def test_the_environment_can_ask_for_the_plain_core() -> None:
    core, uncompiled = asked(plain=True)
    assert core == Core("plain", "plain, because LINESIDE_CORE is plain")
    assert uncompiled == list(MODULES)


def test_compiled_code_has_the_room_that_the_policy_is_held_to() -> None:
    told = (ROOT / "tables/line/rows.pxd").read_text()
    assert f"    SLOTS_MAX = {MEASURES_MAX}" in told


def event_type(members: Mapping[str, Any]) -> type[msgspec.Struct]:
    """Return the struct of an event whose data has these members."""
    data = msgspec.defstruct("Data", list(members.items()))
    return msgspec.defstruct("Event", [("data", data)])


LONG: Any = Literal["x" * 17]
CHOICES: Any = Literal[tuple(f"choice{number}" for number in range(20))]


@pytest.mark.parametrize(
    ("more", "limit"),
    [
        ({f"more{number}.v1": event_type({"a": str}) for number in range(7)}, "TYPES_MAX"),
        ({"more.v1": event_type({f"m{number}": str for number in range(11)})}, "FIELDS_MAX"),
        ({f"m{n}": event_type({"a": CHOICES, "b": CHOICES}) for n in range(2)}, "CHOICES_MAX"),
        ({"m" * 33: event_type({"a": str})}, "NAME_MAX"),
        ({"more.v1": event_type({"a" * 33: str})}, "NAME_MAX"),
        ({"more.v1": event_type({"a": LONG})}, "CHOICE_MAX"),
    ],
)
def test_more_than_the_scanner_has_room_for_is_refused_as_it_is_loaded(
    more: dict[str, type[msgspec.Struct]], limit: str
) -> None:
    needs_core()
    from streams.codec.scanning import check_room

    check_room(TYPES)
    with pytest.raises(RuntimeError, match=limit):
        check_room({**TYPES, **more})


def test_the_metrics_say_what_the_log_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    host = SimpleNamespace(guarantee="at_least_once")
    monkeypatch.setattr(readings, "core_of", lambda: Core("plain", "plain, because"))
    made: Any = readings.JobMetrics(*[host] * 3, str(tmp_path), 10.0)
    assert "plain" in made._build


def test_a_build_makes_all_modules_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    # Cython looks at a source's own cimports, and not at those of its *.pxd: a module that was left
    # would know the types of another as they were.
    asked: dict[str, Any] = {}

    def cythonize(extensions: list[Any], **options: Any) -> None:
        asked.update(options, count=len(extensions))
        raise InterruptedError

    build = hatch_build()
    monkeypatch.setattr("Cython.Build.cythonize", cythonize)
    with pytest.raises(InterruptedError):
        build.compiled(ROOT)
    assert asked["force"]
    assert asked["count"] == len(MODULES)
