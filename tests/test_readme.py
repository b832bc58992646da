"""The example that README.md opens with is what the program does."""

import json
import re
import shlex
from pathlib import Path

from click.testing import CliRunner

from agents.cli.main import main

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text("utf-8")


def blocks(language: str) -> list[str]:
    """Return the code blocks of a language, in their order."""
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)


def in_one_line(block: str) -> str:
    """Return JSON that was broken into lines for people, as the program writes it."""
    return "".join(line.strip() for line in block.splitlines())


SHIPPED = (ROOT / "streams" / "contract" / "policy.toml").read_text("utf-8")
POLICY, EVENT, POSTING = blocks("toml")[0], blocks("json")[0], blocks("json")[1]
COMMAND = re.search(r"`lineside (replay docs/\S+ --out out --close)`", README)
RESULT = re.search(
    r"^\d+ accepted, .*conservation error 0; see out/report\.json$", README, re.MULTILINE
)


def test_the_policy_lines_are_those_that_ship() -> None:
    assert len(POLICY.splitlines()) == 6
    assert f"\n{POLICY}\n" in SHIPPED


def test_the_log_has_the_event_twice() -> None:
    log = (ROOT / "docs" / "examples" / "goods-issue.ndjson").read_text("utf-8")
    assert log == f"{in_one_line(EVENT)}\n" * 2


def test_the_command_gives_the_posting_and_the_sentence(tmp_path: Path) -> None:
    assert COMMAND is not None
    assert RESULT is not None
    name, log, *options = shlex.split(COMMAND[1])
    with CliRunner().isolated_filesystem(tmp_path):
        done = CliRunner().invoke(main, [name, str(ROOT / log), *options])
        left = Path("out/erp.transactions.v1.ndjson").read_text("utf-8")
        report = json.loads(Path("out/report.json").read_bytes())
    assert done.exit_code == 0, done.output
    assert RESULT[0] in done.output.splitlines()
    assert left == f"{in_one_line(POSTING)}\n"
    assert report["conservation"]["error"] == "0"


def test_the_posting_needs_no_other_lines_about_transactions(tmp_path: Path) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text(POLICY + SHIPPED[SHIPPED.index("[summaries.") :], "utf-8")
    arguments = ["replay", str(tmp_path / "log"), "--out", str(tmp_path / "out"), "--close"]
    (tmp_path / "log").write_text(in_one_line(EVENT), "utf-8")
    done = CliRunner().invoke(main, arguments, env={"LINESIDE_POLICY": str(policy)})
    assert done.exit_code == 0, done.output
    left = (tmp_path / "out" / "erp.transactions.v1.ndjson").read_text("utf-8")
    assert left == f"{in_one_line(POSTING)}\n"


def test_the_page_of_the_picture_is_there_and_small() -> None:
    picture = ROOT / "docs" / "page.png"
    assert f"({picture.relative_to(ROOT)})" in README
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert picture.stat().st_size < 200_000


def test_the_readme_is_short() -> None:
    assert len(README.splitlines()) < 150
