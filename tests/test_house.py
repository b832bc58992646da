"""The rules of the house that no linter knows."""

import importlib.metadata
import re
import subprocess
from pathlib import Path

import agents
import streams
import tables
from agents.settings.settings import Settings

ROOT = Path(__file__).parent.parent
TRACKED = [
    ROOT / name
    for name in subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    if (ROOT / name).is_file()
]


def test_our_packages_are_ours() -> None:
    # PyTables imports as `tables`, openai-agents as `agents`: installers overwrite silently.
    for package in (agents, streams, tables):
        assert package.__file__ is not None
        assert Path(package.__file__).parent.parent == ROOT


def test_the_transports_are_registered() -> None:
    found = {
        point.name: point.value
        for point in importlib.metadata.entry_points(group="faust.transports")
    }
    assert found.items() >= {
        ("embedded", "streams.embedded.transport:Transport"),
        ("batches", "streams.kafka.transport:Transport"),
    }


def test_every_requirement_is_locked_with_a_hash() -> None:
    for name in ("requirements.lock", "requirements-dev.lock", "requirements-sbom.lock"):
        entries = re.split(r"\n(?=\S)", (ROOT / name).read_text().strip())
        assert len(entries) > 20
        for entry in entries:
            assert re.match(r"[\w.\[\]-]+==[\w.]+", entry), entry
            assert "--hash=sha256:" in entry, entry


def test_no_path_of_a_machine_and_no_package_host_is_in_the_repository() -> None:
    word = re.compile(rb"/root/|/work/|pypi\.org|files\.pythonhosted|repo1\.maven|registry\.npmjs")
    for path in TRACKED:
        if path != Path(__file__):
            found = word.search(path.read_bytes())
            assert found is None, f"{path.relative_to(ROOT)}: {found[0]!r}"


def test_each_setting_is_in_the_page_of_settings() -> None:
    page = (ROOT / "docs" / "settings.md").read_text("utf-8")
    for name in Settings.__struct_fields__:
        assert f"`{name}`" in page, name


def test_links_between_pages_lead_somewhere() -> None:
    for path in TRACKED:
        if path.suffix == ".md":
            for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", path.read_text("utf-8")):
                if "://" not in target:
                    assert (path.parent / target).exists(), f"{path.name}: {target}"
