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
import urllib.error
import urllib.request
from pathlib import Path

import pytest

import streams.contract

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
    from tables.store.rocksdb import RocksStore

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
    default = Path(streams.contract.__file__).with_name("policy.toml").read_text()
    turned = default.replace('["good", "scrap", "rework"]', '["rework", "good", "scrap"]', 1)
    assert turned != default
    (tmp_path / "policy.toml").write_text(turned)
    other = lineside(*feed, LINESIDE_POLICY=str(tmp_path / "policy.toml"), **data)
    assert_one_sentence(other, 1, "measures good, scrap, rework of summary.production.v1 (now ")
    assert lineside(*feed, **data).returncode == 0


def test_a_state_goes_on_with_a_policy_that_has_grown(tmp_path: Path) -> None:
    log, policy = tmp_path / "log.ndjson", tmp_path / "policy.toml"
    log.write_text(EVENT)
    feed = ("worker", "--port", 0, "--feed", log, "--until-drained")
    data = {"LINESIDE_DATA_DIR": str(tmp_path / "data"), "LINESIDE_PARTITIONS": "1"}

    def fed_without(record: str) -> subprocess.CompletedProcess[str]:
        default = Path(streams.contract.__file__).with_name("policy.toml").read_text()
        cut = re.sub(rf'\[\w+\."{re.escape(record)}"\].*?(?=\n\[|\Z)', "", default, flags=re.DOTALL)
        assert cut != default
        policy.write_text(cut)
        return lineside(*feed, LINESIDE_POLICY=str(policy), **data)

    assert fed_without("summary.scrap.v1").returncode == 0
    assert lineside(*feed, **data).returncode == 0
    assert fed_without("summary.scrap.v1").returncode == 0  # nothing was scrapped
    other = fed_without("erp.goods_issue.v1")
    assert_one_sentence(other, 1, "a policy with erp.goods_issue.v1, which has open windows")
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


def test_an_unknown_setting_that_resembles_none_is_one_sentence(tmp_path: Path) -> None:
    done = lineside("worker", LINESIDE_LOG_LEVEL="debug")
    assert_one_sentence(done, 2, "LINESIDE_LOG_LEVEL isn't a setting: docs/settings.md")
    (tmp_path / "lineside.toml").write_text("foo = 1\n")
    done = lineside("audit", "--config", tmp_path / "lineside.toml")
    assert_one_sentence(done, 2, "foo isn't a setting: docs/settings.md")


def test_an_option_goes_before_the_environment_and_that_before_the_file(tmp_path: Path) -> None:
    file = tmp_path / "lineside.toml"
    file.write_text('group = "a b"\nbroker = "file:"\n')
    given = {"LINESIDE_GROUP": "c d", "LINESIDE_BROKER": "environment:"}
    assert_one_sentence(lineside("worker", "--config", file), 2, "broker is 'file:'")
    assert_one_sentence(lineside("worker", "--config", file, **given), 2, "'environment:'")
    options = ("--config", file, "--broker", "option:")
    assert_one_sentence(lineside("worker", *options, **given), 2, "broker is 'option:'")
    options = ("--config", file, "--broker", "kafka://localhost:1")
    assert_one_sentence(lineside("worker", *options, **given), 2, "group is 'c d'")
    assert_one_sentence(lineside("worker", *options, "--group", "e f", **given), 2, "'e f'")


def test_a_worker_takes_its_everyday_settings_as_options(tmp_path: Path) -> None:
    shown = lineside("worker", "--help").stdout
    for option in ("--broker", "--group", "--instance", "--data-dir", "--host", "--port"):
        assert option in shown
    (log := tmp_path / "log.ndjson").write_text(EVENT)
    data = tmp_path / "data"
    done = lineside("worker", "--data-dir", data, "--port", 0, "--feed", log, "--until-drained")
    assert done.returncode == 0, done.stderr
    assert f"on the embedded log - data in {data}" in done.stderr
    assert re.search(r"lineside\.worker: core: (compiled|plain)", done.stderr)
    assert (data / "state").is_dir()


def test_a_feed_to_a_broker_is_one_sentence_with_the_way_out(tmp_path: Path) -> None:
    (log := tmp_path / "log.ndjson").write_text(EVENT)
    done = lineside("worker", "--feed", log, "--broker", "kafka://localhost:1")
    assert_one_sentence(done, 2, "--feed", "kafka://localhost:1", "lineside simulate --log")


def test_a_demo_has_nothing_to_do_with_a_broker(tmp_path: Path) -> None:
    done = lineside("demo", "--seconds", 1, "--port", 0, LINESIDE_BROKER="kafka://localhost:1")
    assert done.returncode == 0, done.stderr


def test_a_demo_that_others_reach_has_a_token_in_its_link() -> None:
    process = subprocess.Popen(
        [LINESIDE, "demo", "--port", "0", "--host", "0.0.0.0", "--seconds", "30"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        printed = re.match(
            r"lineside demo: (http://127\.0\.0\.1:\d+/)#token=(\S{20,}) ", process.stdout.readline()
        )
        assert printed is not None
        url, token = printed.groups()
        for headers, code in (({}, 401), ({"Authorization": f"Bearer {token}"}, 200)):
            request = urllib.request.Request(f"{url}api/v1/me", headers=headers)
            try:
                with urllib.request.urlopen(request, timeout=SECONDS_MAX) as answer:
                    assert answer.status == code
            except urllib.error.HTTPError as error:
                assert error.code == code
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=SECONDS_MAX)


CSV = "order;item;quantity\n" + "".join(f"{1_000_000 + n};M-{n};{n}.5\n" for n in range(3_000))
"""What is in a spreadsheet: no line of it is an event."""


def test_a_log_without_any_event_ends_with_the_reasons_and_exit_code_1(tmp_path: Path) -> None:
    (log := tmp_path / "log.csv").write_text(CSV)
    done = lineside("replay", log, "--out", tmp_path / "out")
    assert_one_sentence(done, 1, "nothing of", "log.csv", "3,001 refused", "docs/contract.md")
    assert re.search(r"3,000  malformed: the value isn't JSON: .* \(first: line 2\)", done.stderr)
    assert re.search(r"1  malformed: the value isn't JSON: .* \(first: line 1\)", done.stderr)
    report = json.loads((tmp_path / "out" / "report.json").read_bytes())
    assert report["exceptions"] == {"malformed": 3_001}


def test_a_feed_without_any_event_ends_with_the_reasons_and_exit_code_1(tmp_path: Path) -> None:
    (log := tmp_path / "log.csv").write_text(CSV)
    feed = ("worker", "--port", 0, "--data-dir", tmp_path / "data", "--feed", log)
    done = lineside(*feed, "--until-drained")
    assert_one_sentence(done, 1, "nothing of", "log.csv", "3,001 refused")
    assert re.search(r"3,000  malformed: .* \(first: mes\.events\.v1/0/1\)", done.stderr)
    counts = [int(n) for n in re.findall(r"(\d+) more were refused within a second", done.stderr)]
    assert sum(counts) + done.stderr.count("lineside.refused: mes.events.v1/0/") == 3_001
    assert_one_sentence(lineside(*feed, "--until-drained"), 1, "nothing of", "log.csv")


def test_records_of_other_topics_alone_are_nothing_accepted(tmp_path: Path) -> None:
    line = '{"topic":"other","partition":0,"offset":0,"payload":"x"}'
    done = lineside("replay", "-", "--out", tmp_path, stdin=line.encode())
    assert_one_sentence(done, 1, "nothing of the standard input", "1 of other topics")


def test_a_log_with_nothing_in_it_is_no_error(tmp_path: Path) -> None:
    done = lineside("replay", "-", "--out", tmp_path, stdin=b"\n\n")
    assert done.returncode == 0, done.stderr


def test_an_accepted_event_among_refused_ones_is_no_error_but_they_are_reported(
    tmp_path: Path,
) -> None:
    done = lineside("replay", "-", "--out", tmp_path, stdin=f"{EVENT}\nnot JSON\n".encode())
    assert done.returncode == 0
    assert "1  malformed: the value isn't JSON" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("worker", "--host", "a..b"), 2, ["host is 'a..b'"]),
        (("worker", "--data-dir", ""), 2, ["data_dir is empty"]),
        (("worker", "--port", "99999"), 2, ["99999"]),
        (("worker", "--broker", "kafka://localhost:99999"), 2, ["broker is", "99999"]),
        (("audit", "--broker", "kafka://a..b"), 2, ["broker is", "a..b"]),
        (("audit", "--broker", "localhost"), 2, ["broker is", "kafka://"]),
        (("audit", "--broker", "kafka://localhost:1"), 3, ["no Kafka broker answers"]),
        (("topics", "check", "--broker", "kafka://localhost:1"), 1, ["no Kafka broker answers"]),
        (("topics", "create"), 2, ["broker is empty", "--broker"]),
        (("topics", "create", "--broker", "x", "--partitions", "-1"), 2, ["--partitions"]),
        (("simulate", "--broker", "kafka://localhost:1", "--log", "/"), 1, ["directory"]),
        (("simulate", "--events", "5", "--out", "/"), 1, []),
        (("simulate", "--events", "5", "--out", "-", "--mess", "late=nan"), 2, ["late is nan"]),
        (("replay", "/dev/null", "--out", "/dev/null"), 1, ["/dev/null"]),
        (("demo", "--rate", "-1"), 2, ["--rate"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_a_wrong_argument_is_one_sentence(
    arguments: tuple[str, ...], code: int, words: list[str]
) -> None:
    assert_one_sentence(lineside(*arguments), code, *words)


def test_what_cannot_be_written_is_one_sentence_that_names_it(tmp_path: Path) -> None:
    out = tmp_path / "log.ndjson"
    for command in (
        f"ulimit -f 100; {LINESIDE} simulate --events 20000 --out {out}",
        f"{LINESIDE} simulate --events 5 --out /dev/full",
        f"{LINESIDE} --help > /dev/full",
        f"{LINESIDE} topics acls > /dev/full",
    ):
        done = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
        assert_one_sentence(done, 1, str(out) if "ulimit" in command else "No space left")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("closed", ["<&-", ">&-", ">&- 2>&-"])
def test_a_standard_stream_that_is_closed_is_an_empty_one(closed: str, tmp_path: Path) -> None:
    for arguments in (
        f"replay - --out {tmp_path}", "simulate --events 5 --out -", "demo --seconds 1 --port 0"
    ):  # fmt: skip
        done = subprocess.run(
            ["bash", "-c", f"exec {LINESIDE} {arguments} {closed}"],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=SECONDS_MAX,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert "Traceback" not in done.stderr


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 1), (signal.SIGTERM, 143)])
def test_a_signal_ends_a_long_command_and_leaves_nothing_half_written(
    number: signal.Signals, code: int, tmp_path: Path
) -> None:
    log = tmp_path / "part" / "log.ndjson"
    process = subprocess.Popen(
        [LINESIDE, "simulate", "--events", "10000000", "--out", log],
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    while not list(tmp_path.glob("part/*")):
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(number)
    _, err = process.communicate(timeout=SECONDS_MAX)
    assert process.returncode == code, err
    assert "Traceback" not in err
    assert not list(log.parent.iterdir())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("broker", [False, True])
def test_a_worker_that_is_only_starting_ends_in_order(
    number: signal.Signals, broker: bool, tmp_path: Path
) -> None:
    with socket.socket() as silent:  # a broker that takes connections, and says nothing
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        silent.settimeout(SECONDS_MAX)
        options = ["--broker", f"kafka://127.0.0.1:{silent.getsockname()[1]}"] if broker else []
        with subprocess.Popen(
            [LINESIDE, "worker", "--port", "0", "--data-dir", tmp_path, *options],
            stderr=subprocess.PIPE, text=True,
        ) as process:  # fmt: skip
            assert process.stderr is not None
            try:
                if broker:
                    asking, _ = silent.accept()
                else:
                    assert "core: " in process.stderr.readline()
                process.send_signal(number)
                _, err = process.communicate(timeout=SECONDS_MAX)
                if broker:
                    asking.close()
            finally:
                process.kill()
    assert process.returncode == 0, err
    assert "Traceback" not in err
