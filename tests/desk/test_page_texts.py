"""What the page says: the same in both languages, nothing without a text, no markup out of data."""

import json
import re
from importlib import resources

import pytest

from agents.serve.http_server import HEADERS
from streams.contract.checks import CHECKS

FOLDER = resources.files("agents.desk").joinpath("page")
TEXTS = {
    name: json.loads(FOLDER.joinpath(f"texts.{name}.json").read_text("utf-8"))
    for name in ("en", "de")
}
SOURCES = {
    each.name: each.read_text("utf-8")
    for each in FOLDER.iterdir()
    if each.name.endswith(".js") and each.name != "uplot.js"
}
ENGLISH = TEXTS["en"]
LINES_MAX = 300
SAME_MAX = 60
"""So many texts are the same word in both languages: OEE, Offset, JSON, names of products."""


def found(pattern: str) -> set[str]:
    return {one for source in SOURCES.values() for one in re.findall(pattern, source)}


def used() -> set[str]:
    """Return the names of texts that stand in the source as they are."""
    chosen = {
        name
        for one in found(r"\bt\(([^\"`()]*\?[^()]*)\)")
        for name in re.findall(r'"([\w.-]+)"', one)
    }
    return found(r'\bt\(\s*"([^"]+)"') | chosen


def kinds() -> set[str]:
    """Return what the names of texts begin with that are put together."""
    return found(r'\b(?:word|choices)\(\s*"([^"]+)"') | found(r"\bt\(\s*`([\w.]+)\.\$\{")


def test_both_languages_say_the_same() -> None:
    assert list(TEXTS["en"]) == list(TEXTS["de"])
    for name, text in ENGLISH.items():
        german = TEXTS["de"][name]
        assert set(re.findall(r"\{\w+\}", german)) == set(re.findall(r"\{\w+\}", text)), name
        assert text.strip() == text != "", name
        assert german.strip() == german != "", name
    assert sum(TEXTS["de"][name] == text for name, text in ENGLISH.items()) < SAME_MAX


def test_each_text_that_is_used_is_there() -> None:
    assert used() - set(ENGLISH) == set()
    assert len(used()) > 300
    for kind in kinds():
        assert any(name.startswith(f"{kind}.") for name in ENGLISH), kind


def test_no_text_is_left_that_nobody_uses() -> None:
    patterns = [re.escape(kind) + r"\..+" for kind in kinds()]
    patterns += [
        re.sub(r"\\\$\\\{[^}]*\\\}", ".+", re.escape(one)) for one in found(r"\bt\(\s*`([^`]+)`")
    ]
    known = used()
    for name in ENGLISH:
        plain = name.removesuffix(".one")
        assert plain in known or any(re.fullmatch(one, plain) for one in patterns), name


def test_each_check_of_the_contract_has_its_words() -> None:
    codes = {check.outcome for check in CHECKS}
    assert len(codes) > 10
    assert {f"code.{code}" for code in codes} <= set(ENGLISH)


@pytest.mark.parametrize("name", SOURCES)
def test_modules_are_small_and_take_nothing_for_markup(name: str) -> None:
    source = SOURCES[name]
    assert len(source.splitlines()) <= LINES_MAX
    assert source.startswith("// ")
    for word in (
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "eval(",
        ".style.",
        "DOMParser",
    ):
        assert word not in source, word


def test_the_page_needs_nothing_that_its_policy_forbids() -> None:
    index = FOLDER.joinpath("index.html").read_text("utf-8")
    assert "script-src 'self'; style-src 'self'" in HEADERS["Content-Security-Policy"]
    assert "style=" not in index
    assert re.findall(r"<script(?![^>]* src=)", index) == []
    assert "http" not in index.replace("http://www.w3.org/2000/svg", "")


def test_what_the_first_view_needs_is_asked_for_at_once() -> None:
    index = FOLDER.joinpath("index.html").read_text("utf-8")
    loaded = set(re.findall(r'rel="modulepreload" href="page/([\w.]+)"', index))
    needed, left = set(), ["main.js"]
    while left:
        name = left.pop()
        if name not in needed:
            needed.add(name)
            left += re.findall(r'from "\./([\w.]+)"', SOURCES[name])
    assert loaded == needed


def test_the_chart_library_has_its_licence_and_says_its_version() -> None:
    assert "MIT" in FOLDER.joinpath("uplot.LICENSE.txt").read_text("utf-8")
    chart = FOLDER.joinpath("uplot.js").read_text("utf-8")
    assert re.match(r"/\*! https://github\.com/leeoniya/uPlot \(v[\d.]+\) \*/", chart)
    assert chart.endswith("\nexport default uPlot;\n")
