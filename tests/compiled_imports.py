"""What compiled modules import and cimport, for import-linter, which reads Python only."""

import ast
import re
from collections.abc import Collection, Iterator, Mapping
from copy import deepcopy
from pathlib import Path

import grimp
from importlinter.application import use_cases
from importlinter.configuration import configure
from importlinter.domain.contract import registry

ROOT = Path(__file__).parent.parent
PACKAGES = ("streams", "tables", "agents")

IMPORT = re.compile(
    r"^[ \t]*(?:from[ \t]+([\w.]+)[ \t]+c?import[ \t]+(\([^)]*\)|[^\n#]+)|c?import[ \t]+([^\n#]+))",
    re.MULTILINE,
)

FROM_CYTHON = ("cpython", "cython", "libc")
"""What Cython itself brings."""


def compiled_sources() -> dict[str, str]:
    """Return the source of each compiled module, what it declares for others included."""
    sources: dict[str, str] = {}
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.p[yx][xd]")):
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            sources[name] = sources.get(name, "") + path.read_text("utf-8")
    return sources


def imports_of(source: str) -> Iterator[tuple[str, str | None]]:
    """Yield (module, name), as Cython's `from module (c)import name` has them."""
    for module, names, modules in IMPORT.findall(source):
        for each in (names or modules).strip("() \n").split(","):
            name = each.split(" as ")[0].strip()
            if name:
                yield (module, name) if module else (name, None)


def imports_of_python(source: str) -> Iterator[tuple[str, str | None]]:
    """Yield (module, name) of a Python module's imports."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom):
            yield from ((node.module or "", name.name) for name in node.names)
        elif isinstance(node, ast.Import):
            yield from ((name.name, None) for name in node.names)


def edges_of(compiled: Mapping[str, str], known: Collection[str]) -> set[tuple[str, str]]:
    """Return (importer, imported) where one of them is compiled."""
    edges = set()
    for importer, source in compiled.items():
        for module, name in imports_of(source):
            target = _target(module, name, known)
            if target not in FROM_CYTHON:
                edges.add((importer, target))
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            importer = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            for module, name in imports_of_python(path.read_text("utf-8")):
                target = _target(module, name, known)
                if target in compiled:
                    edges.add((importer.removesuffix(".__init__"), target))
    return edges


def _target(module: str, name: str | None, known: Collection[str]) -> str:
    """Return the module that an import leads to; of others' packages the package."""
    target = f"{module}.{name}" if f"{module}.{name}" in known else module
    package = target.partition(".")[0]
    return target if package in PACKAGES else package


def broken_contracts(
    planted: Mapping[str, str], allowed: Collection[tuple[str, str]] = ()
) -> list[str]:
    """Return the contracts of pyproject.toml that don't hold once compiled modules are seen.

    `planted` are sources in place of those that are there, `allowed` imports that are left out.
    """
    configure()
    options = use_cases.read_user_options(str(ROOT / "pyproject.toml"))
    use_cases._register_contract_types(options)
    graph = grimp.build_graph(*PACKAGES, include_external_packages=True, cache_dir=None)
    compiled = {**compiled_sources(), **planted}
    known = {*graph.modules, *compiled}
    for importer, imported in edges_of(compiled, known) - set(allowed):
        for module in (importer, imported):
            if module not in graph.modules:
                graph.add_module(module, is_squashed=module.split(".")[0] not in PACKAGES)
        graph.add_import(importer=importer, imported=imported)
    broken = []
    for contract in options.contracts_options:
        made = registry.get_contract_class(contract["type"])(
            contract["name"], options.session_options, contract
        )
        if not made.check(deepcopy(graph), verbose=False).kept:
            broken.append(contract["name"])
    return broken
