"""The only place that loads compiled modules: whether they are there, and why not.

Most are Python's sources, compiled as they are, or have a plain source of the same name beside
their own (`*.pyx`). They know one another's types: so all of them are loaded, or none is, and the
sources are. Others have plain code in their place. `LINESIDE_CORE=plain` in the environment loads
none.
"""

import sys
from collections.abc import Sequence
from importlib.machinery import (
    EXTENSION_SUFFIXES,
    ExtensionFileLoader,
    ModuleSpec,
    SourceFileLoader,
)
from importlib.util import spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Final, Literal

from msgspec import Struct

WITH_SOURCES: Final = (
    "streams.values.writer",
    "streams.values.hashing",
    "streams.values.lookup",
    "streams.values.sums",
    "streams.codec.scanning",
    "tables.known.known",
    "tables.known.looking",
    "tables.known.copied",
    "tables.line.rows",
    "tables.line.packed",
    "tables.line.windows",
    "tables.line.periods",
    "tables.line.lasting",
    "tables.line.line",
    "tables.line.packed_line",
    "tables.line.plans",
    "tables.line.ledger",
    "tables.line.units",
    "tables.line.adding",
    "tables.line.timeline",
    "tables.line.states",
    "tables.line.singles",
    "tables.line.enriching",
    "tables.line.sending",
    "tables.line.episodes",
    "tables.line.standstill",
    "tables.line.memory",
    "tables.line.maintenance",
    "tables.line.downtime",
    "tables.line.kept",
    "tables.line.finals",
    "tables.line.closing",
    "tables.partition.required",
    "tables.partition.holds",
    "tables.partition.refusing",
    "tables.partition.writing",
    "tables.partition.batch",
)
"""Those that have a plain source of the same name."""

MODULES: Final = (
    "streams.codec.copies", "streams.codec.copy_rules", "streams.log.blocks", "tables.store.held",
    *WITH_SOURCES,
)  # fmt: skip
"""All that is compiled."""

ROOT: Final = Path(__file__).parent.parent


class Core(Struct, frozen=True):
    """Which core runs: `name` is a label, `text` a sentence."""

    name: Literal["compiled", "plain"]
    text: str


class _State:
    """What has been decided in this process, once: None is not yet."""

    plain: bool = False
    core: Core | None = None


def prefer_compiled(plain: bool) -> None:
    """Let imports of modules with sources take what is compiled; with `plain`, the source."""
    _State.plain = plain
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())


def core_of() -> Core:
    """Return which core this process has."""
    if _State.core is None:
        reason = "LINESIDE_CORE is plain" if _State.plain else _reason()
        text = "compiled" if reason is None else f"plain, because {reason}"
        _State.core = Core("compiled" if reason is None else "plain", text)
    return _State.core


def loaded(module: str) -> bool:
    """Return whether one of `MODULES` is compiled, to choose between it and plain code."""
    assert module in MODULES, module
    return core_of().name == "compiled"


def _reason() -> str | None:
    """Return why compiled modules can't be loaded, None if they can."""
    return next((reason for name in MODULES if (reason := _reason_of(name)) is not None), None)


def _reason_of(name: str) -> str | None:
    """Return why a compiled module can't be loaded, None if it can."""
    built = _built(name)
    if built is None:
        return f"{name} wasn't built, which takes gcc and python3-dev"
    loader = ExtensionFileLoader(name, str(built))
    try:  # opens the library; it is executed where it's imported
        loader.create_module(ModuleSpec(name, loader, origin=str(built)))
    except ImportError as error:
        return f"{name} can't be loaded: {error}"
    return None


def _built(name: str) -> Path | None:
    """Return the file of a compiled module, None if there's none."""
    stem = ROOT.joinpath(*name.split("."))
    files = [stem.with_name(stem.name + ending) for ending in EXTENSION_SUFFIXES]
    return next((file for file in files if file.exists()), None)


class _Finder:
    """Finds modules with sources."""

    def find_spec(
        self, name: str, _path: Sequence[str] | None, _target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return how to load one of `WITH_SOURCES`, None for any other module."""
        if name not in WITH_SOURCES:
            return None
        built = _built(name) if loaded(name) else None
        if built is not None:
            path = str(built)
            return spec_from_file_location(name, path, loader=ExtensionFileLoader(name, path))
        path = str(ROOT.joinpath(*name.split(".")).with_suffix(".py"))
        return spec_from_file_location(name, path, loader=SourceFileLoader(name, path))
