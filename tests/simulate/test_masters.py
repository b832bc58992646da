"""The factory's master data: all that its events name is told, and all of it can be kept."""

import json
from collections import Counter
from itertools import islice
from pathlib import Path

import msgspec
from click.testing import CliRunner

from agents.cli.main import main
from agents.reference.importing import judged_rows
from agents.reference.rows import read_rows
from agents.simulate.factory import Plan, clean_arrivals
from agents.simulate.masters import REQUIRED, master_data
from masters import AT
from runs import run
from tables.reference.keeping import Terms
from tables.reference.known import Known

PLAN = Plan(plants=4, lines=4)
"""Each kind of line, in plants of each dialect."""

EVENTS = 20_000


def records(*left_out: str) -> list[bytes]:
    """Return the master data as bare reference records, without those of some kinds."""
    return [
        msgspec.json.encode(
            {
                "specversion": "1.0", "type": f"reference.{kind}.v1", "source": "/lineside",
                "id": "m", "plant": plant, "line": "*", "data": data,
            }
        )
        for kind, plant, data in master_data(PLAN)
        if kind not in left_out
    ]  # fmt: skip


def events() -> list[bytes]:
    return [each.value for each in islice(clean_arrivals(PLAN), EVENTS)]


def codes(lines: list[bytes]) -> Counter[str]:
    return Counter(json.loads(each.value)["data"]["code"] for each in run(lines).exceptions)


def test_with_its_master_data_the_factory_names_nothing_unknown() -> None:
    assert set(REQUIRED) == {"line", "item", "uom", "lot", "work_unit", "reason", "order"}
    assert codes(records() + events()) == {}


def test_without_a_kind_of_it_events_are_refused() -> None:
    for kind in ("line", "work_unit", "item", "reason", "order"):
        found = codes(records(kind) + events()[:4_000])
        assert found["unknown_master"] > 0, kind
        assert found.keys() <= {"unknown_master", "unknown_reversal"}


def test_postings_get_cost_centers_and_base_units_and_what_the_erp_issues_isnt_posted() -> None:
    before, after = (run(lines).records for lines in (events(), records() + events()))
    erp = [json.loads(each.value) for each in after if each.topic == "erp.transactions.v1"]
    assert all("cost_center" in each["data"] for each in erp)
    assert any(each["data"]["cost_center"][-1] != "0" for each in erp)
    grams = [each["data"] for each in erp if each["data"].get("base_uom") == "g"]
    assert grams
    assert {each["uom"] for each in grams} == {"kg"}
    issued = [sum(b"goods_issue" in each.value for each in left) for left in (after, before)]
    assert 0 < issued[0] < issued[1]


def test_a_second_import_of_what_the_command_writes_changes_nothing(tmp_path: Path) -> None:
    out = tmp_path / "master.ndjson"
    done = CliRunner().invoke(
        main, ["simulate", "--master-data", "--plants", "2", "--lines", "3", "--out", str(out)]
    )
    assert done.exit_code == 0, done.output
    rows = read_rows(out.read_text("utf-8"), False, None, None)
    known = Known()
    became = [
        Counter(each.became for each in judged_rows(rows, known, Terms(), "/erp", AT))
        for _ in range(2)
    ]
    assert became == [{"new": len(rows)}, {"the same": len(rows)}]
    assert len({(row.kind, row.plant, str(row.data)) for row in rows}) == len(rows) > 600


def test_master_data_goes_to_a_file_and_has_no_events(tmp_path: Path) -> None:
    for more in ([], ["--out", "x", "--events", "5"], ["--out", "x", "--clean"]):
        assert CliRunner().invoke(main, ["simulate", "--master-data", *more]).exit_code == 2
