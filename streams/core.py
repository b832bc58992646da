"""The only place that loads compiled modules: which are there, and why one isn't."""

from collections.abc import Sequence
from importlib import import_module
from typing import Final, Literal

from msgspec import Struct

MODULES: Final = (
    "streams.log.blocks",
    "streams.codec.scanning",
    "tables.store.held",
    "tables.line.rows",
    "tables.line.closing",
    "tables.partition.folding",
)
"""All that is compiled; each has plain code in its place where it can't be loaded."""


class Core(Struct, frozen=True):
    """Which of the compiled modules are loaded: `name` is a label, `text` a sentence."""

    name: Literal["compiled", "partly", "plain"]
    text: str


_missing: dict[str, str] = {}
"""Why modules aren't there, by name."""


def loaded(module: str) -> bool:
    """Load one of `MODULES`; return whether it's there, to choose between it and plain code."""
    assert module in MODULES, module
    if module in _missing:
        return False
    reason = _reason(module)
    if reason is not None:
        _missing[module] = reason
    return reason is None


def core_of(modules: Sequence[str] = MODULES) -> Core:
    """Return what these modules amount to; the first that is missing says why."""
    reasons = [_missing[module] for module in modules if not loaded(module)]
    if not reasons:
        return Core("compiled", "compiled")
    if len(reasons) == len(modules):
        return Core("plain", f"plain, because {reasons[0]}")
    there = f"{len(modules) - len(reasons)} of {len(modules)} modules"
    return Core("partly", f"partly compiled ({there}), because {reasons[0]}")


def _reason(module: str) -> str | None:
    """Return why a module can't be loaded, None if it is."""
    try:
        import_module(module)
    except ModuleNotFoundError as error:
        if error.name == module:
            return f"{module} wasn't built, which takes gcc and python3-dev"
        return f"{module} can't be loaded: {error}"
    except ImportError as error:
        return f"{module} can't be loaded: {error}"
    return None
