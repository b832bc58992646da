"""`lineside reference` on an embedded log: dry first, nothing twice, errors in a sentence."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from agents.cli.main import main
from agents.keep_reference import Keeper
from streams.contract.topics import ERP_MASTER
from streams.embedded.log import EmbeddedLog
from streams.embedded.reference import LogReference
from streams.embedded.transport import Broker
from tables.reference.keeping import Terms

LINES = "kind,plant,line,cost_center\nline,DE01,L1,4711\nline,DE01,L2,4712\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    log = EmbeddedLog(tmp_path / "data" / "log")
    Broker(log, 2)
    log.close()
    return tmp_path


def reference(folder: Path, *words: str) -> Result:
    data = ["--data-dir", str(folder / "data")]
    return CliRunner().invoke(main, ["reference", *words, *data])


async def keep(folder: Path) -> None:
    """Do what a worker would do with what was sent."""
    log = EmbeddedLog(folder / "data" / "log")
    keeper = await Keeper.begun(LogReference(Broker(log, 2)), Terms())
    await keeper.round()
    log.close()


def sent(folder: Path) -> int:
    log = EmbeddedLog(folder / "data" / "log")
    end = log.partition(ERP_MASTER, 0).end_offset
    log.close()
    return end


async def test_an_import_is_dry_first_then_sent_and_a_second_one_changes_nothing(
    folder: Path,
) -> None:
    file = folder / "lines.csv"
    file.write_text(LINES)
    dry = reference(folder, "import", str(file))
    assert (dry.exit_code, dry.output) == (
        0, "2 new: nothing was sent; --write sends them\n",
    )  # fmt: skip
    assert sent(folder) == 0
    done = reference(folder, "import", str(file), "--write")
    assert (done.exit_code, done.output) == (0, "2 new: sent\n")
    await keep(folder)
    again = reference(folder, "import", str(file), "--write")
    assert (again.exit_code, again.output) == (0, "2 the same: nothing was sent\n")
    assert sent(folder) == 2
    listed = reference(folder, "list", "--kind", "line").output.splitlines()
    assert listed == [
        'line\tDE01\tL1\t{"cost_center": "4711"}', 'line\tDE01\tL2\t{"cost_center": "4712"}',
    ]  # fmt: skip
    shown = json.loads(reference(folder, "show", "line", "DE01", "L1").output)
    assert shown["data"] == {"line": "L1", "cost_center": "4711"}
    assert shown["mastersource"] == "/steward"


async def test_what_is_exported_is_read_again_as_it_is(folder: Path) -> None:
    file, out = folder / "lines.csv", folder / "out"
    file.write_text(LINES)
    reference(folder, "import", str(file), "--write")
    await keep(folder)
    for ending in (".csv", ".ndjson"):
        done = reference(folder, "export", str(out.with_suffix(ending)))
        assert done.output == f"2 records in {out.with_suffix(ending)}\n"
        again = reference(folder, "import", str(out.with_suffix(ending)))
        assert again.output == "2 the same: nothing was sent\n"


def test_of_a_file_with_a_row_that_is_refused_nothing_is_sent(folder: Path) -> None:
    file = folder / "lines.csv"
    file.write_text(LINES + "line,DE01,a/b,\n")
    done = reference(folder, "import", str(file), "--write")
    assert done.exit_code == 1
    assert "row 4: data.line is 'a/b': a '/' in it\n" in done.output
    assert "2 new, 1 refused: nothing was sent\n" in done.output
    assert sent(folder) == 0


def test_problems_are_told_in_a_sentence(folder: Path, tmp_path: Path) -> None:
    missing = reference(folder, "import", "nowhere.csv")
    assert (missing.exit_code, missing.output) == (
        1, "Error: nowhere.csv: No such file or directory\n",
    )  # fmt: skip
    bad = tmp_path / "bad.json"
    bad.write_bytes(b"\xff")
    assert "isn't UTF-8" in reference(folder, "import", str(bad)).output
    bad.write_text("[" * 5_000)
    assert reference(folder, "import", str(bad)).output.startswith("Error: the file isn't JSON: ")
    bad.write_text('[{"kind":"reason","plant":"*","data":{"reason":"\\ud800"}}]')
    assert "row 1: a lone surrogate is in it" in reference(folder, "import", str(bad)).output
    unknown = reference(folder, "show", "item", "DE01", "X")
    assert (unknown.exit_code, unknown.output) == (1, "no item X of plant DE01 is known\n")
    words = ["reference", "list", "--data-dir", str(tmp_path / "none")]
    nothing = CliRunner().invoke(main, words)
    assert nothing.exit_code == 1
    assert nothing.output.startswith("Error: there is no embedded log in ")
    held = EmbeddedLog(folder / "data" / "log")
    busy = reference(folder, "list")
    held.close()
    assert "is in use by another lineside" in busy.output
