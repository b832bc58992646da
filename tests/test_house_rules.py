"""The rules of the house hold for every source, and each of them can fail."""

import re
import tomllib
from pathlib import Path

import pytest

import house_rules as rules
from test_house import ROOT, TRACKED

SOURCES = {
    path.relative_to(ROOT).as_posix(): path.read_text("utf-8")
    for path in TRACKED
    if path.suffix in (".py", ".pyx", ".pxd", ".pyi")
}
PACKAGES = ("streams/", "tables/", "agents/")

EDGES = ("streams/kafka/", "streams/embedded/", "streams/log/batches.py", "streams/log/cancellation.py",
         "streams/log/owner.py", "streams/secret.py", "tables/store/changelog.py", "tables/store/local_copy.py",
         "tables/store/rocksdb.py", "tables/books/")  # fmt: skip
"""Where streams/ and tables/ may touch a technology, in modules that say `EDGE:` first."""

TOUCHED = {"streams/__init__.py": ["os"], "streams/values/hashing.pyx": ["ctypes"]}
"""What pure modules touch all the same: the environment says whether compiled modules are to be
loaded, and xxhash's functions have no other way into compiled code."""

LONG = {
    "agents/partition/task.py": 405,
    "benchmarks/workload.py": 370,
    "benchmarks/workload_shapes.py": 330,
    "streams/codec/scanning.pyx": 600,
    "streams/log/blocks.pyx": 570,
    # Compiled classes: what their methods call within a class costs no Python call.
    "tables/line/timeline.py": 370,
    "tables/partition/batch.py": 565,
}
"""Modules of more than 300 lines, and how long each may be: these figures may only fall."""


def of(*folders: str, ends: tuple[str, ...] = (".py", ".pyx", ".pxd")) -> dict[str, str]:
    return {
        path: text
        for path, text in SOURCES.items()
        if path.startswith(folders) and path.endswith(ends)
    }


# The first line.


def test_every_module_says_what_it_holds_in_one_sentence() -> None:
    told = of(*PACKAGES, "benchmarks/", "docs/", "tests/", "hatch_build.py", ends=(".py", ".pyx"))
    assert len(told) > 300
    assert [found for each in told.items() if (found := rules.first_line_problem(*each))] == []


@pytest.mark.parametrize(
    "text",
    [
        '"""Keys and values of a state"""\n',
        '"""Keys and values of a state\n\nand more."""\n',
        '"""Keys and values. And how they are read."""\n',
        '"""Keys. `stored` reads them."""\n',
        '"""\nKeys and values of a state.\n"""\n',
        "'''Keys and values of a state.'''\n",
        "import os\n",
        "",
    ],
)
def test_what_opens_otherwise_is_found(text: str) -> None:
    assert rules.first_line_problem("a.py", text) is not None


@pytest.mark.parametrize(
    "text",
    [
        '"""Keys and values of a state."""\n',
        '# cython: language_level=3\n"""CloudEvents 1.0 in JSON.\n\nAnd more.\n"""\n',
        '#!/usr/bin/env python\n"""What would leave, had it come in?"""\n',
    ],
)
def test_what_opens_well_is_not(text: str) -> None:
    assert rules.first_line_problem("a.py", text) is None


# Pure core, thin shell.


def is_edge(path: str, text: str) -> bool:
    return path.startswith(EDGES) and text.startswith('"""EDGE: ')


def test_the_core_touches_no_technology() -> None:
    told = of("streams/", "tables/", ends=(".py", ".pyx", ".pxd", ".pyi"))
    assert any(path.endswith(".pyx") for path in told)
    touched = {
        path: found
        for path, text in told.items()
        if not is_edge(path, text) and (found := rules.technologies(text))
    }
    assert touched == TOUCHED


def test_every_place_of_an_edge_has_one() -> None:
    for place in EDGES:
        told = {path: text for path, text in SOURCES.items() if path.startswith(place)}
        assert any(is_edge(*each) and rules.technologies(each[1]) for each in told.items()), place


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("import time", "time"),
        ("    from os import path", "os"),
        ("import asyncio.tasks", "asyncio"),
        ("from libc.time cimport time", "libc.time"),
        ("cimport posix.unistd", "posix"),
        ("from aiokafka.errors import KafkaError", "aiokafka"),
        ("import ctypes", "ctypes"),
        ("from random import Random, random", "random"),
        ("from random import Random", "random"),
    ],
)
def test_a_technology_is_found_in_python_and_in_cython(line: str, found: str) -> None:
    text = f'"""A pure module."""\n\nfrom libc.stdint cimport int64_t\n{line}\nx = 1\n'
    assert rules.technologies(text) == [found]


@pytest.mark.parametrize("line", ["import timeit_of_ours", "# import os", "times = 1"])
def test_what_touches_none_is_not(line: str) -> None:
    assert rules.technologies(f'"""A pure module."""\n{line}\n') == []


# Columns and lines.


def test_no_line_of_cython_is_too_long() -> None:
    told = of(*PACKAGES, ends=(".pyx", ".pxd", ".pyi"))
    assert [found for each in told.items() for found in rules.long_lines(*each)] == []


def test_a_line_that_is_too_long_is_found() -> None:
    text = "x" * 100 + "\n" + "y" * 101 + "\n"
    assert rules.long_lines("a.pyx", text) == ["a.pyx:2 has 101 columns"]


def test_modules_are_short_and_the_list_of_the_long_ones_only_shrinks() -> None:
    told = of(*PACKAGES, "benchmarks/", "docs/", "hatch_build.py")
    assert told.keys() >= LONG.keys()
    found = [problem for each in told.items() if (problem := rules.length_problem(*each, LONG))]
    assert found == []


@pytest.mark.parametrize(
    ("path", "lines", "wrong"),
    [
        ("new.py", 300, False),
        ("new.py", 301, True),
        ("known.py", 400, False),
        ("known.py", 401, True),
        ("known.py", 300, True),  # it is to come off the list
    ],
)
def test_a_module_that_is_too_long_is_found(path: str, lines: int, wrong: bool) -> None:
    found = rules.length_problem(path, "x\n" * lines, {"known.py": 400})
    assert (found is not None) == wrong


# Dead files.


def entry_points() -> set[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    points = [*project["scripts"].values(), *project["entry-points"]["faust.transports"].values()]
    return {point.partition(":")[0].replace(".", "/") + ".py" for point in points}


def test_every_module_is_imported_by_another_or_is_an_entry_point() -> None:
    entries = entry_points()
    assert entries <= SOURCES.keys()
    told = {path.removeprefix("docs/"): text for path, text in of(*PACKAGES, "docs/").items()}
    steps = {path for path in told if path.startswith("tables/books/migrations/")}  # Alembic's
    assert rules.dead(told, entries | steps | {"generate.py"}) == []


def test_every_entry_point_is_one() -> None:
    found = rules.dead(of(*PACKAGES), set())
    assert set(found) >= {"agents/cli/main.py", "streams/kafka/transport.py"}


def test_a_dead_module_is_found() -> None:
    sources = {
        "a/__init__.py": "",
        "a/main.py": "def main():\n    from a import used\n    import a.room.fast\n",
        "a/used.py": "from a.lower import (\n    x,\n)\n",
        "a/lower.py": "x = 1\n",
        "a/room/fast.pyx": "from a.mixed cimport (one, two)\nfrom a import plain as of_old\n",
        "a/room/fast.pxd": "cdef int x\n",
        "a/mixed.pxd": "cdef int one\n",
        "a/plain.py": "",
        "a/dead.py": "import a.dead\n",
        "a/alone.pyx": "from a.alone cimport y\n",
        "a/alone.pxd": "cdef int y\n",
    }
    assert rules.dead(sources, {"a/main.py"}) == ["a/dead.py", "a/alone.pyx", "a/alone.pxd"]
    assert rules.dead(sources, set())[0] == "a/main.py"


def test_every_script_and_helper_of_tests_and_benchmarks_is_imported_or_named() -> None:
    texts = {
        path.relative_to(ROOT).as_posix(): path.read_bytes().decode("utf-8", "replace")
        for path in TRACKED
        if path.suffix in (".md", ".py", ".toml", "")  # Makefile and Dockerfile, too
    }
    assert unnamed(of("tests/", "benchmarks/"), texts) == []


def unnamed(sources: dict[str, str], texts: dict[str, str]) -> list[str]:
    """Return the helpers that nothing imports, and whose file nothing names."""
    known: dict[str, set[str]] = {}
    for path, text in sources.items():
        for name in rules.imported(path, text):
            known.setdefault(name.rpartition(".")[2], set()).add(path)
    found = []
    for path in sources:
        name = Path(path).name
        if name.startswith("test_") or name in ("conftest.py", "__init__.py", "__main__.py"):
            continue
        if known.get(name.removesuffix(".py"), set()) - {path}:
            continue
        if not any(re.search(rf"\b{re.escape(name)}\b", t) for p, t in texts.items() if p != path):
            found.append(path)
    return found


def test_a_helper_that_nobody_names_is_found() -> None:
    sources = {
        "tests/test_a.py": "import used\n",
        "tests/used.py": "",
        "tests/run.py": "",
        "tests/lost.py": "import lost\n",
    }
    assert unnamed(sources, {"Makefile": "python tests/run.py"}) == ["tests/lost.py"]
