"""The command line as a user calls it: what it prints, how it ends, what it leaves."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

import streams

LINESIDE = str(Path(sys.executable).with_name("lineside"))
SECONDS_MAX = 60

EVENT = (
    '{"specversion":"1.0","type":"material.consumed.v1","source":"/DE01/mes","id":"1",'
    '"time":"2026-11-21T06:00:00Z","plant":"DE01","line":"L3","data":{"order":"1000123",'
    '"operation":"0010","item":"M-100","quantity":"12.5","uom":"kg"}}'
)


def lineside(
    *arguments: object, stdin: bytes = b"", **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run `lineside` with these arguments and LINESIDE_* variables."""
    own = {name: value for name, value in os.environ.items() if "LINESIDE" not in name}
    done = subprocess.run(
        [LINESIDE, *map(str, arguments)],
        input=stdin,
        env=own | environment,
        capture_output=True,
        timeout=SECONDS_MAX,
    )
    return subprocess.CompletedProcess(
        done.args, done.returncode, done.stdout.decode(), done.stderr.decode()
    )


def assert_one_sentence(done: subprocess.CompletedProcess[str], code: int, *words: str) -> None:
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    errors = [line for line in done.stderr.splitlines() if line.startswith("Error: ")]
    assert len(errors) == 1, done.stderr
    for word in words:
        assert word in errors[0]


@pytest.mark.parametrize("command", ["demo", "worker", "simulate", "replay", "audit"])
def test_help_names_every_option(command: str) -> None:
    done = lineside(command, "--help")
    assert done.returncode == 0
    assert "Options:" in done.stdout
    assert command in lineside("--help").stdout


def test_the_demo_ends_by_itself_with_a_table_that_adds_up() -> None:
    done = lineside("demo", "--seconds", 4, "--rate", 800, "--port", 0)
    assert done.returncode == 0, done.stderr
    assert re.search(r"\d s  in [\d,]+  accepted", done.stdout), "no progress line"
    cells = dict(re.findall(r"│ +([\w./() ,]*\w\)?) +│ +([\d,.]+) │", done.stdout))
    numbers = {name: int(cell.replace(",", "")) for name, cell in cells.items()}
    assert numbers["conservation error"] == 0
    parts = ("accepted", "duplicates (dropped)", "clock ticks", "exceptions")
    assert numbers["records in"] == sum(numbers[part] for part in parts)
    assert numbers["records in"] > 2_000
    erp = sum(count for name, count in numbers.items() if name.startswith("erp."))
    assert numbers["ERP transactions"] == erp > 0


def test_ctrl_c_ends_the_demo_with_the_table() -> None:
    process = subprocess.Popen(
        [LINESIDE, "demo", "--port", "0"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline().startswith("lineside demo: http://127.0.0.1:")
    time.sleep(2)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=SECONDS_MAX)
    assert process.returncode == 0, err
    assert "conservation error" in out


def test_a_replay_writes_what_leaves_and_a_report(tmp_path: Path) -> None:
    log = tmp_path / "log.ndjson"
    log.write_text(f"{EVENT}\n\nnot JSON\n{EVENT}\n")
    done = lineside("replay", log, "--out", tmp_path / "out", "--close")
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "out" / "report.json").read_bytes())
    assert report["counts"] == {"accepted": 1, "duplicate": 1, "exception": 1, "tick": 0}
    assert report["exceptions"] == {"malformed": 1}
    assert report["conservation"]["error"] == "0"
    (issue,) = (tmp_path / "out" / "erp.transactions.v1.ndjson").read_text().splitlines()
    assert json.loads(issue)["data"]["quantity"] == "12.5"
    assert not [path for path in (tmp_path / "out").iterdir() if path.name.startswith(".")]


def test_a_replay_reads_standard_input(tmp_path: Path) -> None:
    done = lineside("replay", "-", "--out", tmp_path, stdin=EVENT.encode())
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "report.json").read_bytes())["counts"]["accepted"] == 1
    assert json.loads((tmp_path / "report.json").read_bytes())["open_windows"] == 2


def test_open_windows_stay_open_unless_closed(tmp_path: Path) -> None:
    lineside("replay", "-", "--out", tmp_path, stdin=EVENT.encode())
    (row,) = [
        row
        for row in json.loads((tmp_path / "report.json").read_bytes())["conservation"]["rows"]
        if row["type"] == "erp.goods_issue.v1"
    ]
    assert (row["accepted"], row["emitted"], row["open"]) == ("12.5", "0", "12.5")


def test_a_missing_log_is_one_sentence(tmp_path: Path) -> None:
    done = lineside("replay", tmp_path / "none.ndjson", "--out", tmp_path / "out")
    assert_one_sentence(done, 1, "none.ndjson", "No such file")
    assert not (tmp_path / "out").exists()


def test_a_log_that_is_a_folder_is_one_sentence(tmp_path: Path) -> None:
    assert_one_sentence(lineside("replay", tmp_path, "--out", tmp_path / "out"), 1, "directory")


def test_an_output_folder_that_is_a_file_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("mine")
    done = lineside("replay", "-", "--out", tmp_path / "out", stdin=EVENT.encode())
    assert_one_sentence(done, 1, "out")
    assert (tmp_path / "out").read_text() == "mine"


def test_a_replay_onto_a_full_disk_leaves_nothing_half_written(tmp_path: Path) -> None:
    import resource

    log = tmp_path / "log.ndjson"
    assert lineside("simulate", "--events", 20_000, "--out", log).returncode == 0
    limit = 100_000
    done = subprocess.run(
        [LINESIDE, "replay", log, "--out", tmp_path / "out"],
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )
    assert_one_sentence(done, 1)
    assert list((tmp_path / "out").iterdir()) == []


def test_an_unknown_setting_is_one_sentence_with_the_likely_one() -> None:
    done = lineside("worker", LINESIDE_GRACE_SECOND="5")
    assert_one_sentence(done, 2, "LINESIDE_GRACE_SECOND", "LINESIDE_GRACE_SECONDS")


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("LINESIDE_GRACE_SECONDS", "soon"),
        ("LINESIDE_GRACE_SECONDS", "-1"),
        ("LINESIDE_SUMMARY_WINDOW_SECONDS", "0"),
        ("LINESIDE_MES_RETENTION_SECONDS", "60"),
        ("LINESIDE_PORT", "70000"),
        ("LINESIDE_PARTITIONS", "0"),
        ("LINESIDE_NO_PROGRESS_SECONDS_MAX", "0"),
        ("LINESIDE_LOG_FORMAT", "xml"),
        ("LINESIDE_BROKER", "mqtt://127.0.0.1:1883"),
        ("LINESIDE_INSTANCE", "floor 1"),
        ("LINESIDE_TIME_ZONES", '{"DE01": "Europe/Berlim"}'),
        ("LINESIDE_TIME_ZONES", "Europe/Berlin"),
        ("LINESIDE_POLICY", "/nowhere/policy.toml"),
        ("LINESIDE_CONFIG", "/nowhere/lineside.toml"),
    ],
)
def test_a_wrong_setting_is_one_sentence_that_names_it(
    variable: str, value: str, tmp_path: Path
) -> None:
    done = lineside("worker", **{variable: value, "LINESIDE_DATA_DIR": str(tmp_path / "data")})
    name = "settings file" if "CONFIG" in variable else variable.removeprefix("LINESIDE_").lower()
    assert_one_sentence(done, 2, name if name in done.stderr else variable)
    assert not (tmp_path / "data").exists()


def test_the_environment_goes_before_the_settings_file(tmp_path: Path) -> None:
    (tmp_path / "lineside.toml").write_text("grace_seconds = -5\n")
    config = ("--config", tmp_path / "lineside.toml")
    assert_one_sentence(lineside("worker", *config), 2, "grace_seconds is -5")
    done = lineside(
        "replay", "-", "--out", tmp_path / "out", *config, LINESIDE_GRACE_SECONDS="30",
        stdin=EVENT.encode(),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_settings_change_what_leaves(tmp_path: Path) -> None:
    (tmp_path / "lineside.toml").write_text(
        'summary_window_seconds = 3600\n[time_zones]\nDE01 = "Pacific/Auckland"\n'
    )
    config = ("--config", tmp_path / "lineside.toml")
    done = lineside("replay", "-", "--out", tmp_path, "--close", *config, stdin=EVENT.encode())
    assert done.returncode == 0, done.stderr
    (summary,) = (tmp_path / "summary.consumption.v1.ndjson").read_text().splitlines()
    assert json.loads(summary)["data"]["window_end"] == "2026-11-21T07:00:00Z"
    (issue,) = (tmp_path / "erp.transactions.v1.ndjson").read_text().splitlines()
    late_evening = EVENT.replace("T06:00:00Z", "T12:00:00Z")
    assert json.loads(issue)["data"]["posting_date"] == "2026-11-21"
    lineside("replay", "-", "--out", tmp_path, "--close", *config, stdin=late_evening.encode())
    (issue,) = (tmp_path / "erp.transactions.v1.ndjson").read_text().splitlines()
    assert json.loads(issue)["data"]["posting_date"] == "2026-11-22"


def test_a_port_in_use_is_one_sentence(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = lineside("worker", "--port", port, LINESIDE_DATA_DIR=str(tmp_path / "data"))
        assert_one_sentence(done, 1, str(port), "in use")
        assert_one_sentence(lineside("demo", "--seconds", 1, "--port", port), 1, str(port))


def test_a_data_directory_that_cannot_be_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = lineside("worker", "--port", 0, LINESIDE_DATA_DIR=str(tmp_path / "file" / "data"))
    assert_one_sentence(done, 1, "data directory", "file")


def test_other_partitions_than_the_log_has_are_refused(tmp_path: Path) -> None:
    log = tmp_path / "log.ndjson"
    log.write_text(EVENT)
    feed = ("worker", "--port", 0, "--feed", log, "--until-drained")
    data = {"LINESIDE_DATA_DIR": str(tmp_path / "data")}
    assert lineside(*feed, LINESIDE_PARTITIONS="2", **data).returncode == 0
    assert_one_sentence(lineside(*feed, LINESIDE_PARTITIONS="3", **data), 2, "partitions is 3")


def test_a_state_of_another_format_is_refused(tmp_path: Path) -> None:
    from tables.rocksdb import RocksStore

    log = tmp_path / "log.ndjson"
    log.write_text(EVENT)
    feed = ("worker", "--port", 0, "--feed", log, "--until-drained")
    data = {"LINESIDE_DATA_DIR": str(tmp_path / "data"), "LINESIDE_PARTITIONS": "1"}
    assert lineside(*feed, **data).returncode == 0
    store = RocksStore(tmp_path / "data" / "state" / "mes.events.v1-0")
    (head,) = store.get_many([b"o"])
    assert head is not None
    store.write([(b"o", bytes([head[0], 99]) + head[2:])])
    store.close()
    assert_one_sentence(lineside(*feed, **data), 1, "format 99", "mes.events.v1/0")


def test_a_state_without_its_log_is_refused(tmp_path: Path) -> None:
    """It would pass over what is fed to another one, up to where it was."""
    lines = [EVENT.replace('"id":"1"', f'"id":"{number}"') for number in range(20)]
    log = tmp_path / "log.ndjson"
    log.write_text("\n".join(lines[:8]))
    feed = ("worker", "--port", 0, "--feed", log, "--until-drained")
    data = {"LINESIDE_DATA_DIR": str(tmp_path / "data"), "LINESIDE_PARTITIONS": "1"}
    assert lineside(*feed, **data).returncode == 0
    (tmp_path / "data" / "log").rename(tmp_path / "log")
    assert_one_sentence(
        lineside(*feed, **data),
        1,
        "goes on at offset 8, and the topic ends at 0",
        "another data_dir",
    )
    shutil.rmtree(tmp_path / "data" / "log")
    (tmp_path / "data" / "state").rename(tmp_path / "state")
    log.write_text("\n".join(lines[8:]))
    assert lineside(*feed, **data).returncode == 0
    shutil.rmtree(tmp_path / "data" / "state")
    (tmp_path / "state").rename(tmp_path / "data" / "state")
    assert_one_sentence(lineside(*feed, **data), 1, "has seen another record at offset 7")


def test_a_damaged_state_is_refused_with_the_way_out(tmp_path: Path) -> None:
    """On the embedded log it's the only one that there is."""
    log = tmp_path / "log.ndjson"
    log.write_text(EVENT)
    feed = ("worker", "--port", 0, "--feed", log, "--until-drained")
    data = {"LINESIDE_DATA_DIR": str(tmp_path / "data"), "LINESIDE_PARTITIONS": "1"}
    assert lineside(*feed, **data).returncode == 0
    (file,) = (tmp_path / "data" / "state" / "mes.events.v1-0").glob("*.sst")
    whole = file.read_bytes()
    file.write_bytes(bytes(byte ^ 0xFF for byte in whole[:64]) + whole[64:])
    assert_one_sentence(lineside(*feed, **data), 1, "is damaged", "from a backup")
    assert lineside(*feed, **data).returncode == 1
    file.write_bytes(whole)
    assert lineside(*feed, **data).returncode == 0


def test_a_state_of_other_windows_or_another_policy_is_refused(tmp_path: Path) -> None:
    log = tmp_path / "log.ndjson"
    log.write_text(EVENT)
    feed = ("worker", "--port", 0, "--feed", log, "--until-drained")
    data = {"LINESIDE_DATA_DIR": str(tmp_path / "data"), "LINESIDE_PARTITIONS": "1"}
    assert lineside(*feed, **data).returncode == 0
    other = lineside(*feed, LINESIDE_SUMMARY_WINDOW_SECONDS="120", **data)
    assert_one_sentence(other, 1, "summary_window_seconds 60 (now 120)")
    default = Path(streams.__file__).with_name("policy.toml").read_text()
    (tmp_path / "policy.toml").write_text(default.replace('when = "at_once"', 'when = "window"', 1))
    other = lineside(*feed, LINESIDE_POLICY=str(tmp_path / "policy.toml"), **data)
    assert_one_sentence(other, 1, "another policy for erp.production_confirmation.v1")
    assert lineside(*feed, **data).returncode == 0


def test_a_log_that_was_fed_with_something_else_is_refused(tmp_path: Path) -> None:
    lines = [EVENT.replace('"id":"1"', f'"id":"{number}"') for number in range(8)]
    log, other = tmp_path / "log.ndjson", tmp_path / "other.ndjson"
    data = {"LINESIDE_DATA_DIR": str(tmp_path / "data")}

    def fed(path: Path, *contents: str) -> subprocess.CompletedProcess[str]:
        path.write_text("\n".join(contents))
        return lineside("worker", "--port", 0, "--feed", path, "--until-drained", **data)

    assert fed(log, *lines[:5]).returncode == 0
    assert "fed 3 records" in fed(log, *lines).stderr
    assert_one_sentence(fed(other, *reversed(lines)), 1, "aren't those of", "other.ndjson")
    assert_one_sentence(fed(log, *lines[:3]), 1, "aren't those of", "log.ndjson")
    assert "fed 0 records" in fed(log, *lines).stderr


def test_the_same_seed_gives_the_same_log(tmp_path: Path) -> None:
    arguments = ("simulate", "--events", 2_000, "--plants", 2, "--lines", 2, "--out", "-")
    first = lineside(*arguments, "--seed", 7)
    assert first.returncode == 0, first.stderr
    assert first.stdout == lineside(*arguments, "--seed", 7).stdout
    assert first.stdout != lineside(*arguments, "--seed", 8).stdout
    events = [line for line in first.stdout.splitlines() if "clock.tick.v1" not in line]
    assert len(events) == 2_000


def test_a_clean_log_has_no_exception(tmp_path: Path) -> None:
    log = tmp_path / "log.ndjson"
    assert lineside("simulate", "--events", 5_000, "--clean", "--out", log).returncode == 0
    assert lineside("replay", log, "--out", tmp_path / "out").returncode == 0
    counts = json.loads((tmp_path / "out" / "report.json").read_bytes())["counts"]
    assert (counts["accepted"], counts["duplicate"], counts["exception"]) == (5_000, 0, 0)


def test_a_rate_of_the_mess_can_be_set(tmp_path: Path) -> None:
    log = tmp_path / "log.ndjson"
    many = ("--mess", "duplicates=0.5", "--mess", "malformed=0")
    assert lineside("simulate", "--events", 5_000, *many, "--out", log).returncode == 0
    lineside("replay", log, "--out", tmp_path / "out")
    counts = json.loads((tmp_path / "out" / "report.json").read_bytes())["counts"]
    assert counts["duplicate"] > 1_000
    wrong = lineside("simulate", "--events", 5, "--mess", "luck=1", "--out", "-")
    assert_one_sentence(wrong, 2, "luck", "duplicates")
    wrong = lineside("simulate", "--events", 5, "--mess", "late=often", "--out", "-")
    assert_one_sentence(wrong, 2, "late=often")


def test_a_reader_that_leaves_is_no_error() -> None:
    command = f"{LINESIDE} simulate --events 100000 --out - | head -n 1"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, timeout=SECONDS_MAX)
    assert done.stdout.count("\n") == 1
    assert "Traceback" not in done.stderr
    assert "Exception" not in done.stderr
