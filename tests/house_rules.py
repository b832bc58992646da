"""The rules of the house as functions of texts: each returns what is wrong, nothing if all is right."""

import re
from collections.abc import Collection, Mapping

from compiled_imports import imports_of, imports_of_python

Sources = Mapping[str, str]
"""Text by path, of Python and Cython."""

LINES_MAX = 300
"""Of a module: past that it has a second idea."""

COLUMNS_MAX = 100

TECHNOLOGY = re.compile(
    r"^\s*(?:c?import|from) (faust|asyncio|logging|os|time|random|rocksdict|aiokafka|aiohttp"
    r"|socket|ssl|subprocess|threading|shutil|tempfile|secrets|uuid|ctypes|posix|libc\.time"
    r"|libc\.stdio|cpython\.time)\b",
    re.MULTILINE,
)
"""Imports that a pure module doesn't have: clocks, disks, networks, chance, processes, C."""


def first_line_problem(path: str, text: str) -> str | None:
    """A module opens with one sentence that says what it holds, and ends with a full stop."""
    lines = [line for line in text.splitlines()[:3] if not line.startswith("#")]
    first = lines[0] if lines else ""
    told = re.fullmatch(r'"""(\S.*?)(?:""")?', first)
    if told is None:
        return f"{path} opens with {first!r}: no docstring"
    if not re.search(r"[.?]$", told[1]):
        return f"{path}: its first line doesn't end its sentence: {told[1]!r}"
    if re.search(r"[.?!] [A-Z`]", told[1]):
        return f"{path}: more than one sentence in its first line: {told[1]!r}"
    return None


def technologies(text: str) -> list[str]:
    """A pure module touches no technology: return those that one imports."""
    return TECHNOLOGY.findall(text)


def long_lines(path: str, text: str) -> list[str]:
    """A line has at most 100 columns: return those that have more."""
    return [
        f"{path}:{number} has {len(line)} columns"
        for number, line in enumerate(text.splitlines(), 1)
        if len(line) > COLUMNS_MAX
    ]


def length_problem(path: str, text: str, known: Mapping[str, int]) -> str | None:
    """A module has at most 300 lines; what is longer is `known`, and may only shrink."""
    lines, limit = len(text.splitlines()), known.get(path, LINES_MAX)
    if lines > limit:
        return f"{path} has {lines} lines, more than {limit}: look for the second idea"
    if path in known and lines <= LINES_MAX:
        return f"{path} has {lines} lines only: take it off the list of the long ones"
    return None


def dead(sources: Sources, entries: Collection[str]) -> list[str]:
    """Every module is imported by another one, or is an entry point: return those that aren't.

    A module that only its own tests import is dead, too: give no tests among the sources. What is
    imported by dead modules alone is found once those are gone.
    """
    used: dict[str, set[str]] = {}
    for path, text in sources.items():
        for name in imported(path, text):
            used.setdefault(name, set()).add(path)
    found = []
    for path in sources:
        own = {path.rpartition(".")[0] + end for end in (".py", ".pyx", ".pxd", ".pyi")}
        others = used.get(module_of(path), set()) - own
        if not others and path not in entries and not path.endswith("/__init__.py"):
            found.append(path)
    return found


def module_of(path: str) -> str:
    """Return the name that a source is imported by."""
    return path.rpartition(".")[0].removesuffix("/__init__").replace("/", ".")


def imported(path: str, text: str) -> set[str]:
    """Return the names that a source imports; of `from a import b` both a and a.b."""
    read = imports_of_python if path.endswith((".py", ".pyi")) else imports_of
    names = set()
    for module, name in read(text):
        names |= {module} if name is None else {module, f"{module}.{name}"}
    return names
