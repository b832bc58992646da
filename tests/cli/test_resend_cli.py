"""`lineside resend`: what would become of inputs, and each sent again once, wherever it's cut off."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import insert

from acts.refusals import NOW, encoded, event
from agents.cli.resend import resend
from streams.contract.reruns import rerun_of
from streams.contract.topics import AUDIT, MACHINE_EVENTS, MES_EVENTS
from streams.embedded.log import EmbeddedLog
from streams.log.record import Record
from tables.books.opening import migrate, open_books, writing
from tables.books.packed import pack
from tables.books.schema import INPUTS, LINES

SECOND = 1_000_000
SPAN = ("--from", "2026-11-21T06:00:00Z", "--to", "2026-11-21T06:01:00Z")
PARTITIONS = 2


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("LINESIDE_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The data of a job: 60 events of two lines, a second apart, and what is never sent again."""
    log = EmbeddedLog(tmp_path / "log")
    for number in range(PARTITIONS):
        log.partition(MACHINE_EVENTS, number)
    for n in range(60):
        line = f"L{n % 2}"
        given = event(
            attributes={"id": f"c{n}", "line": line}, order="A" if n < 40 else "B", quantity=n
        )
        add(log, n % 2, encoded(given), at=NOW + n * SECOND, key=f"DE01/{line}")
    tick = {"specversion": "1.0", "type": "clock.tick.v1", "source": "/lineside", "id": "t",
            "time": "2026-11-21T06:00:00Z", "plant": "*", "line": "*", "data": {}}  # fmt: skip
    add(log, 0, encoded(tick), at=NOW + SECOND, key=None)
    add(log, 0, b"{", at=NOW + SECOND, key="DE01/L0")
    log.close()
    return tmp_path


def add(log: EmbeddedLog, number: int, value: bytes, at: int, key: str | None) -> None:
    bytes_of_key = None if key is None else key.encode()
    log.partition(MES_EVENTS, number).append([(at, bytes_of_key, value, [("a", b"b")])])


def run(folder: Path, *words: str) -> Result:
    return CliRunner().invoke(resend, [*words, "--data-dir", str(folder)])


def sent(folder: Path) -> list[Record]:
    """Return what lies behind the first records of each partition."""
    log, found = EmbeddedLog(folder / "log"), list[Record]()
    for number in range(PARTITIONS):
        records = log.partition(MES_EVENTS, number).read(0, 10_000)
        found += [one for one in records if "lineside_resent_from" in dict(one.headers)]
    log.close()
    return found


def trail(folder: Path) -> Sequence[Any]:
    log = EmbeddedLog(folder / "log")
    found = [rerun_of(record.value) for record in log.partition(AUDIT, 0).read(0, 100)]
    log.close()
    return found


def test_without_books_what_cant_be_read_is_foreseen(folder: Path) -> None:
    done = run(folder, *SPAN)
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines() == [
        "61 records would be sent again",
        "  60 readable: whether they are new or duplicates, only the desk's books know",
        "  1 refused as malformed",
        "nothing was sent: --write does it",
    ]
    assert sent(folder) == []
    assert trail(folder) == []


@pytest.mark.parametrize(
    ("words", "count"),
    [
        (["--order", "A"], 40),
        (["--order", "A", "--line", "L1"], 20),
        (["--line", "L0"], 31),
        (["--plant", "DE02"], 0),
        (["--topic", MACHINE_EVENTS], 0),
        (["--from", "2026-11-21T06:00:10Z", "--to", "2026-11-21T06:00:20Z"], 10),
        (["--from", "2026-11-22"], 0),
    ],
)
def test_what_is_chosen_goes_and_nothing_else(words: list[str], count: int, folder: Path) -> None:
    assert run(folder, *SPAN, "--to", "2026-11-23", *words).stdout.startswith(f"{count} records")


def test_with_books_the_jobs_code_says_what_would_become(folder: Path) -> None:
    engine = open_books(f"sqlite:///{folder}/desk.db")
    migrate(engine)
    with writing(engine) as connection:
        for n in range(10):
            given = event(
                attributes={"id": f"c{n}", "line": f"L{n % 2}"}, order="A", quantity=n + (n == 9)
            )
            row = {
                "topic": MES_EVENTS, "number": n % 2, "position": n // 2, "day": 0, "plant": "DE01",
                "line": f"L{n % 2}", "outcome": "accepted", "type": given["type"], "event_id": f"c{n}",
                "source": given["source"], "happened_at": NOW, "value": pack(encoded(given)),
            }  # fmt: skip
            connection.execute(insert(INPUTS).values(row))
        connection.execute(insert(LINES).values(plant="DE01", line="L0", mes_at=NOW))
    engine.dispose()
    done = run(folder, *SPAN)
    assert done.stdout.splitlines() == [
        "61 records would be sent again", "  50 new", "  9 duplicates", "  1 refused as key_conflict",
        "  1 refused as malformed", "nothing was sent: --write does it",
    ]  # fmt: skip


def test_each_is_sent_once_under_its_key_with_where_it_was(folder: Path) -> None:
    done = run(folder, *SPAN, "--order", "A", "--write")
    assert (done.exit_code, done.stdout) == (0, "40 records were sent again\n"), done.output
    found = sent(folder)
    origins = [dict(one.headers)["lineside_resent_from"] for one in found]
    assert len(set(origins)) == len(origins) == 40
    for one in found:
        read = json.loads(one.value or b"")
        assert (one.key or b"").decode() == f"{read['plant']}/{read['line']}"
        number = int(read["id"][1:])
        headers = dict(one.headers)
        assert headers["a"] == b"b"
        topic, partition, offset = (headers["lineside_resent_from"] or b"").decode().split("/")
        assert (topic, int(partition)) == (MES_EVENTS, number % 2)
        assert int(offset) == number // 2 + (2 if partition == "0" and number > 58 else 0)
    (rerun,) = trail(folder)
    assert (rerun.chosen.order, rerun.ends[f"{MES_EVENTS}/1"]) == ("A", 30)
    again = run(folder, *SPAN, "--order", "A", "--write")
    assert again.stdout == "nothing is left to send: 40 records were sent before\n"
    assert run(folder, *SPAN, "--order", "A").stdout.startswith("0 records would be sent again (40")
    assert len(sent(folder)) == 40
    assert len(trail(folder)) == 1


def test_what_was_sent_again_isnt_sent_by_the_next_one(folder: Path) -> None:
    run(folder, *SPAN, "--write")
    later = run(folder, "--from", "2026-11-21", "--to", "2036-01-01")
    assert later.stdout.startswith("61 records would be sent again")


@pytest.mark.parametrize("kept", [0, 1, 2, 3])
def test_one_that_is_cut_off_goes_on(
    kept: int, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agents.desk.resending.TOGETHER_MAX", 8)
    writes: list[int] = []
    real: Any = EmbeddedLog.partition

    def partition(self: EmbeddedLog, topic: str, number: int) -> Any:
        found = real(self, topic, number)
        if topic == MES_EVENTS and not hasattr(found, "counted"):
            found.counted, append = True, found.append

            def counted(entries: Any) -> int:
                if len(writes) >= kept:
                    raise KeyboardInterrupt
                writes.append(len(entries))
                return int(append(entries))

            found.append = counted
        return found

    monkeypatch.setattr(EmbeddedLog, "partition", partition)
    assert run(folder, *SPAN, "--write").exit_code != 0
    monkeypatch.undo()
    before = len(sent(folder))
    assert before == sum(writes)
    done = run(folder, *SPAN, "--write")
    assert done.exit_code == 0, done.output
    after = f", after {before} by a run that was cut off" if before else ""
    assert done.stdout == f"{61 - before} records were sent again{after}\n"
    origins = [dict(one.headers)["lineside_resent_from"] for one in sent(folder)]
    assert len(origins) == len(set(origins)) == 61


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--to", "2026-11-21"], 2, "Missing option '--from'"),
        (["--from", "yesterday"], 1, "from is 'yesterday'"),
        (["--from", "2026-11-22", "--to", "2026-11-21"], 1, "it is before from"),
        (["--from", "2026-11-21", "--write"], 2, "--write needs --to"),
        (["--from", "2026-11-21", "--topic", "exceptions.v1"], 2, "'exceptions.v1' is not one of"),
    ],
)
def test_what_cant_be_is_a_sentence(words: list[str], code: int, said: str, folder: Path) -> None:
    done = run(folder, *words)
    assert (done.exit_code, said in done.stderr) == (code, True), done.output


def test_where_there_is_no_log_the_way_out_is_named(tmp_path: Path) -> None:
    done = run(tmp_path / "nothing", *SPAN)
    assert done.exit_code == 1
    assert "there is no embedded log in" in done.stderr
    assert "--broker" in done.stderr


def test_a_worker_that_runs_keeps_it_out(folder: Path) -> None:
    log = EmbeddedLog(folder / "log")
    done = run(folder, *SPAN)
    log.close()
    assert done.exit_code == 1
    assert "is in use by another lineside" in done.stderr
