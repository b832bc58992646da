"""A release: one version everywhere, and the tag decides what it is."""

import re
import subprocess
from importlib.metadata import version
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parent.parent
CHART = yaml.safe_load((ROOT / "helm/lineside/Chart.yaml").read_text("utf-8"))
HEADINGS = re.findall(
    r"^## \[(\d+\.\d+\.\d+)\] - (unreleased|\d{4}-\d\d-\d\d)$",
    (ROOT / "CHANGELOG.md").read_text("utf-8"),
    re.MULTILINE,
)


def git(*words: str) -> str | None:
    """Return what git says, None where it has no history to ask."""
    try:
        done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True)
    except FileNotFoundError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def test_the_chart_is_of_the_version_that_the_changelog_begins_with() -> None:
    newest, _ = HEADINGS[0]
    assert CHART["appVersion"] == newest
    assert CHART["version"] == newest


def test_only_the_newest_version_is_unreleased() -> None:
    assert len(HEADINGS) == (ROOT / "CHANGELOG.md").read_text("utf-8").count("\n## [")
    assert all(date != "unreleased" for _, date in HEADINGS[1:])
    numbers = [tuple(map(int, each.split("."))) for each, _ in HEADINGS]
    assert numbers == sorted(numbers, reverse=True)


def test_every_tag_of_a_version_is_in_the_changelog_with_its_date() -> None:
    released = {each for each, date in HEADINGS if date != "unreleased"}
    tags = {tag.removeprefix("v") for tag in (git("tag", "--list", "v*") or "").split()}
    assert tags <= released, "the changelog lacks them, or calls them unreleased"


@pytest.mark.parametrize(
    ("tag", "commits", "built"),
    [("v3.2.1", 0, r"3\.2\.1"), ("v3.2.1", 2, r"3\.2\.2\.dev2\+g[0-9a-f]+"), (None, 1, r"0\.1\.dev1\+g.+")],
    ids=["tagged", "after a tag", "no tag"],
)  # fmt: skip
def test_the_tag_is_the_version_of_what_is_built(
    tmp_path: Path, tag: str | None, commits: int, built: str
) -> None:
    """With the settings of pyproject.toml, in a repository of its own."""
    from hatchling.metadata.core import ProjectMetadata
    from hatchling.plugin.manager import PluginManager

    (tmp_path / "pyproject.toml").write_bytes((ROOT / "pyproject.toml").read_bytes())
    own = ["git", "-C", tmp_path, "-c", "user.name=t", "-c", "user.email=t@example.org"]
    subprocess.run([*own, "init", "--quiet"], check=True)
    subprocess.run([*own, "add", "."], check=True)

    def commit() -> None:
        subprocess.run([*own, "commit", "--quiet", "--allow-empty", "-m", "c"], check=True)

    if tag is not None:
        commit()
        subprocess.run([*own, "tag", tag], check=True)
    for _ in range(commits):
        commit()
    made = ProjectMetadata(str(tmp_path), PluginManager()).version
    assert re.fullmatch(built, made), made


def test_what_is_installed_says_a_version() -> None:
    assert re.match(r"\d+(\.\d+)*", version("lineside"))
