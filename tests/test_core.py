"""Which core runs is said as it is: all compiled modules are asked, and a missing one says why."""

import ast
import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal

import msgspec
import pytest

from agents.serve import job_metrics as readings
from compiled import TWINS, WITHOUT_TWINS, needs_core
from streams.contract.events import TYPES
from streams.contract.policy import CONTRIBUTIONS_MAX, KINDS_MAX, MEASURES_MAX
from streams.core import MODULES, Core, core_of

ROOT = Path(__file__).parent.parent

ASK = """
import json, sys
from importlib.abc import MetaPathFinder
class Without(MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name in {absent!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
        if name in {broken!r}:
            raise ImportError("its library has other symbols")
sys.meta_path.insert(0, Without())
from agents.serve import job_metrics as readings
from streams.core import core_of
from tables.partition.partition import Folding
told = core_of()
print(json.dumps([told.name, told.text, Folding is not None]))
"""


def asked(absent: tuple[str, ...] = (), broken: tuple[str, ...] = ()) -> tuple[Core, bool]:
    """Return which core a process says that it has, and whether its hot loop is compiled."""
    done = subprocess.run(
        [sys.executable, "-c", ASK.format(absent=absent, broken=broken)],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    name, text, folding = json.loads(done.stdout)
    return Core(name, text), folding


def test_every_compiled_module_is_asked() -> None:
    sources = [*ROOT.glob("streams/**/*.pyx"), *ROOT.glob("tables/**/*.pyx")]
    assert sorted(MODULES) == sorted(
        ".".join(path.relative_to(ROOT).with_suffix("").parts) for path in sources
    )


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
    assert {"Folding", "rows_bytes", "lay_over"} <= names
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


def test_a_core_that_is_whole_is_compiled() -> None:
    needs_core()
    assert core_of() == Core("compiled", "compiled")


@pytest.mark.parametrize("module", MODULES)
def test_a_core_of_which_one_module_is_missing_is_partly_compiled(module: str) -> None:
    needs_core()
    told, _ = asked(absent=(module,))
    assert told.name == "partly"
    assert f"{module} wasn't built" in told.text or "can't be loaded" in told.text


def test_a_hot_loop_that_fails_to_load_is_told_with_its_reason() -> None:
    needs_core()
    told, folding = asked(broken=("tables.partition.folding",))
    assert not folding
    assert told.name == "partly"
    assert told.text.startswith(
        "partly compiled (5 of 6 modules), because tables.partition.folding can't"
    )
    assert told.text.endswith("its library has other symbols")


def test_without_any_compiled_module_the_core_is_plain() -> None:
    told, folding = asked(absent=MODULES)
    assert not folding
    assert told.name == "plain"
    assert told.text.startswith("plain, because streams.log.blocks wasn't built")


def test_compiled_code_has_the_room_that_the_policy_is_held_to() -> None:
    needs_core()
    told = (ROOT / "tables/line/rows.pxd").read_text() + (
        ROOT / "tables/partition/folding.pyx"
    ).read_text()
    for name, bound in (
        ("SLOTS_MAX", MEASURES_MAX),
        ("KINDS_MAX", KINDS_MAX),
        ("CONTRIBUTIONS_MAX", CONTRIBUTIONS_MAX),
    ):
        assert f"    {name} = {bound}" in told


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
    monkeypatch.setattr(readings, "core_of", lambda: Core("partly", "partly compiled"))
    made: Any = readings.JobMetrics(*[host] * 3, str(tmp_path), 10.0)
    assert "partly" in made._build
