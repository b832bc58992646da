"""docs/architecture.md names functions and constants that are where it says."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "architecture.md").read_text("utf-8")


def section(title: str) -> str:
    """Return the text under a heading, up to the next one of its level."""
    return PAGE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def named() -> list[tuple[str, str]]:
    """Return (file, name) of each function, class and constant in the page's two tables."""
    found = []
    for path, names in re.findall(
        r"\]\(\.\./([\w/.]+\.\w+)\)((?:,? `\w+`)+)", section("Where is ...?")
    ):
        found += [(path, name) for name in re.findall(r"`(\w+)`", names)]
    for names, path in re.findall(r"((?:`\w+`(?:, )?)+), ([\w/]+\.p\w+)", section("Bounds")):
        found += [(path, name) for name in re.findall(r"`(\w+)`", names)]
    return found


def test_the_tables_name_what_they_seem_to() -> None:
    assert {
        ("tables/line/windows.py", "carrier_of"),
        ("tables/partition/refusing.py", "is_misplaced"),
        ("tables/line/closing.py", "close"),
        ("streams/log/record.py", "KEY_BYTES_MAX"),
        ("agents/worker/run.py", "STOP_SECONDS_MAX"),
    } <= set(named())
    assert len(named()) > 150


def rows() -> list[str]:
    """Return the rows of the page's first table, its head aside."""
    table = [line for line in section("Where is ...?").splitlines() if line.startswith("| ")]
    return table[2:]


def test_each_row_of_where_is_names_a_function_in_each_of_its_modules() -> None:
    assert len(rows()) > 50
    for row in rows():
        paths = re.findall(r"\]\(\.\./([\w/.]+)\)", row)
        assert paths, f"no file: {row}"
        for path in paths:
            assert (ROOT / path).exists(), row
            names = re.search(rf"\]\(\.\./{re.escape(path)}\),? `\w+`", row)
            assert names or not re.search(r"\.p(y|yx|xd)$", path), f"no function of {path}: {row}"
        _, _, code = row.partition(" | ")
        told = re.findall(r"`([^`]+)`", code)
        checked = [name for path, name in named() if path in paths]
        assert set(told) <= set(checked), f"not looked for: {set(told) - set(checked)}"


@pytest.mark.parametrize(("path", "name"), named())
def test_each_name_is_defined_where_the_page_says(path: str, name: str) -> None:
    definition = (
        rf"^\s*(?:(?:async )?def|class|cdef (?:\S+ )+\*?) ?{name}\b|^\s*{name}\b(?:: [^=\n]+)? = "
    )
    assert re.search(definition, (ROOT / path).read_text("utf-8"), re.MULTILINE)


def test_each_constant_that_a_page_names_is_one() -> None:
    """Of the environment aside, whose names are made of those of the settings."""
    code = "".join(
        path.read_text("utf-8")
        for room in ("streams", "tables", "agents", "benchmarks", "tests")
        for path in sorted((ROOT / room).rglob("*.p*"))
        if path.suffix in (".py", ".pyx", ".pxd")
    )
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))):
        for name in re.findall(r"`([A-Z]+(?:_[A-Z]+)+)`", page.read_text("utf-8")):
            known = name.startswith("LINESIDE_") or re.search(rf"\b{name}\b", code)
            assert known, f"{page.name} names {name}"
