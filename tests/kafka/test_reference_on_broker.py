"""Master data on a real broker: kept, refused, copied into partitions, and in force there."""

import base64
import json
import os
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from broker import run_apart
from clusters import Broker, fresh_topics
from contents import write
from kafka_workers import LINESIDE, KafkaJob, WorkerProcess, kafka_job, wait_until
from master_jobs import (
    TOGETHER,
    MasterJob,
    confirmed,
    event,
    item_records,
    line_records,
    posting,
    record,
)
from masters import master
from streams.contract.topics import (
    ERP_MASTER,
    EXCEPTIONS,
    MES_EVENTS,
    REFERENCE,
)
from streams.log.record import partition_of

PARTITIONS = 2

FLOOD = 10_000
"""Events that a partition has to process before a copy that is written now."""


@pytest.fixture(scope="module")
def masters(broker: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[MasterJob]:
    """A job that all tests here share, each with a plant of its own."""
    folder = tmp_path_factory.mktemp("masters")
    with kafka_job(broker, f"test-{uuid.uuid4().hex[:12]}", folder, PARTITIONS) as job:
        yield MasterJob(job)


@pytest.fixture
def worker(masters: MasterJob) -> WorkerProcess:
    """The worker that runs, or another one with its data."""
    running = [each for each in masters.job.workers if each.running]
    return running[0] if running else masters.worker()


# Kept, refused, copied.


def test_what_is_told_is_kept_and_copied_to_the_partitions_that_need_it(
    masters: MasterJob, worker: WorkerProcess
) -> None:
    plant, (first, _) = masters.plant()
    masters.tell(*line_records(plant, [first]), *item_records(plant, ["I"]))
    masters.wait_until_known(plant, 2)
    masters.wait_until_copied(plant, [0])
    line, item = (masters.known(plant)[key] for key in keys(plant, f"line/{first}", "item/I"))
    assert [(key, seq) for key, seq, _ in masters.copies(0, plant)] == [
        (line.key, line.offset), (item.key, item.offset),
    ]  # fmt: skip
    assert json.loads(item.value)["mastersource"] == "/erp"
    assert masters.copies(1, plant) == []


def test_a_partition_in_which_a_line_is_seen_gets_all_of_its_plant(
    masters: MasterJob, worker: WorkerProcess
) -> None:
    plant, (first, second) = masters.plant()
    masters.tell(*line_records(plant, [first]), *item_records(plant, ["I", "J"]))
    masters.wait_until_known(plant, 3)
    masters.wait_until_copied(plant, [0])
    assert masters.copies(1, plant) == []
    masters.send(confirmed(plant, second, "a"))
    masters.wait_until_copied(plant, [1])


def test_a_refused_record_is_an_exception_with_the_senders_bytes_and_holds_nothing_up(
    masters: MasterJob, worker: WorkerProcess
) -> None:
    plant, (first, _) = masters.plant()
    torn, forged = b'{"specversion":"1.0","type":"reference.item.v1","pl\xff', b"\x00not JSON"
    zero = master("item", plant, item="I", base_uom="kg", conversions={"g": 0})
    zone = master("rules", plant, valid_from="2026-12-01T00:00:00Z", time_zone="Mars/Base")
    orphan = master("order", plant, order="O", status="released", item="NONE")
    masters.tell(torn, forged, zero, zone, orphan, *line_records(plant, [first]), key=b"their/key")
    masters.wait_until_copied(plant, [0])
    refused = {
        base64.b64decode(data["value"]): data["code"]
        for each in masters.found(EXCEPTIONS)
        if (data := json.loads(each.value)["data"])["topic"] == ERP_MASTER
    }
    assert {value: refused.get(value) for value in (torn, forged, zero, zone, orphan)} == {
        torn: "malformed", forged: "malformed", zero: "invalid", zone: "invalid",
        orphan: "invalid",
    }  # fmt: skip
    assert len(masters.known(plant)) == 1


# In force.


def test_an_event_is_accepted_once_its_item_has_come(
    masters: MasterJob, worker: WorkerProcess
) -> None:
    plant, (first, _) = masters.plant()
    masters.tell(*line_records(plant, [first]), master("plant", plant, require=["item"]))
    masters.wait_until_known(plant, 2)
    masters.wait_until_copied(plant, [0])
    early = confirmed(plant, first, "early")
    masters.send(early)
    assert "'I'" in masters.wait_until_refused(plant, "unknown_master")["reason"]
    masters.tell(*item_records(plant, ["I"]))
    masters.wait_until_known(plant, 3)
    masters.wait_until_copied(plant, [0])
    masters.send(early)
    masters.wait_until_posted(posting(plant, first, "early"))


def test_a_hold_parks_events_of_another_line_of_the_plant_until_it_is_released(
    masters: MasterJob, worker: WorkerProcess
) -> None:
    plant, (first, second) = masters.plant()
    masters.tell(*line_records(plant, [first, second]))
    masters.wait_until_known(plant, 2)
    masters.wait_until_copied(plant)
    masters.send(placed(plant, first))
    masters.wait_until_known(plant, 3)
    masters.wait_until_copied(plant)
    masters.send(
        confirmed(plant, second, "held", lot="LOT"), confirmed(plant, second, "free", lot="OTHER")
    )
    masters.wait_until_posted(posting(plant, second, "free"))
    assert posting(plant, second, "held") not in masters.postings()
    masters.send(released(plant, first))
    masters.wait_until_posted(posting(plant, second, "held"))


def test_a_partition_that_lags_is_copied_to_and_judges_by_what_lies_before_each_event(
    masters: MasterJob, worker: WorkerProcess
) -> None:
    plant, (first, second) = masters.plant()
    masters.tell(*line_records(plant, [first, second]), master("plant", plant, require=["item"]))
    masters.wait_until_known(plant, 3)
    masters.wait_until_copied(plant)
    key = f"{plant}/{second}".encode()
    unknown = [
        record(confirmed(plant, second, f"u{number}", item="LATE"), key) for number in range(FLOOD)
    ]
    run_apart(write(masters.job.cluster, {(MES_EVENTS, partition_of(key, PARTITIONS)): unknown}))
    masters.tell(*item_records(plant, ["LATE"]))
    masters.wait_until_known(plant, 4)
    masters.send(
        confirmed(plant, first, "after", item="I"), confirmed(plant, second, "after", item="I")
    )
    masters.wait_until_copied(plant)
    masters.send(*(confirmed(plant, line, "known", item="LATE") for line in (first, second)))
    masters.wait_until_posted(*(posting(plant, line, "known") for line in (first, second)))
    masters.job.wait_until_processed()
    copied_at = max(offset for _, _, offset in masters.copies(1, plant))
    refused = [
        each["data"]["offset"]
        for each in masters.exceptions(plant)
        if each["line"] == second and "'LATE'" in each["data"]["reason"]
    ]
    assert len(refused) == FLOOD
    assert max(refused) < copied_at


# Sent again, made anew.


def test_the_same_records_again_change_nothing_and_are_not_copied_again(
    masters: MasterJob, worker: WorkerProcess
) -> None:
    plant, lines = masters.plant()
    told = [*line_records(plant, lines), *item_records(plant, ["I", "J"], lot_control=True)]
    masters.tell(*told)
    masters.wait_until_known(plant, 4)
    masters.wait_until_copied(plant)
    before = [masters.copies(number, plant) for number in range(PARTITIONS)]
    other, (line, _) = masters.plant()
    masters.tell(*told, *line_records(other, [line]))
    masters.wait_until_copied(other, [0])
    assert {each.value for each in masters.known(plant).values()} == {
        each.value for each in masters.found(REFERENCE, 1) if each.key in masters.known(plant)
    }
    assert [masters.copies(number, plant) for number in range(PARTITIONS)] == before


def test_an_erp_master_topic_that_is_made_anew_is_read_from_its_beginning(
    masters: MasterJob, worker: WorkerProcess
) -> None:
    plant, (line, _) = masters.plant()
    masters.tell(*line_records(plant, [line]))
    masters.wait_until_copied(plant, [0])
    (before,) = masters.copies(0, plant)
    read_up_to = masters.found(ERP_MASTER, 1)[-1].offset + 1
    for count, running in ((1, False), (1, True), (read_up_to + 5, False)):
        if not running:
            worker.kill()
        fresh_topics(masters.job.broker, names=[ERP_MASTER])
        masters.forget(ERP_MASTER)
        other, (there, _) = masters.plant()
        masters.tell(
            *line_records(other, [there]), *line_records(plant, [line]),
            *item_records(other, (f"I{number}" for number in range(count))),
        )  # fmt: skip
        if not running:
            worker = masters.worker()
        masters.wait_until_known(other, count + 1)
        masters.wait_until_copied(other, [0])
    assert masters.copies(0, plant) == [before]


# Workers that are killed, and new ones.


def test_kills_of_the_worker_that_ticks_lose_no_copy_and_repeat_none_to_effect(
    masters: MasterJob, worker: WorkerProcess
) -> None:
    plant, lines = masters.plant()
    masters.tell(*line_records(plant, lines))
    masters.wait_until_copied(plant)
    other = masters.worker("other")
    wait_until("both have partitions", lambda: all(each.owned() for each in (worker, other)))
    workers = [worker, other]
    for number in range(3):
        names = [f"I{number}-{n}" for n in range(TOGETHER)]
        masters.tell(*item_records(plant, names), *item_records(plant, names, lot_control=True))
        leader = leader_of(workers)
        known = 2 + number * TOGETHER
        wait_until("some are kept", lambda n=known: len(masters.known(plant)) > n)  # type: ignore[misc]  # mypy can't infer it
        leader.kill()
        workers = [each for each in workers if each.running]
        workers.append(masters.worker(f"next-{number}"))
    masters.wait_until_known(plant, 2 + 3 * TOGETHER)
    masters.wait_until_copied(plant)
    known = {key: each.offset for key, each in masters.known(plant).items()}
    for number in range(PARTITIONS):
        in_force: dict[bytes, int] = {}
        for key, seq, _ in masters.copies(number, plant):
            in_force[key] = max(seq, in_force.get(key, -1))
        assert in_force == known
    sent = [confirmed(plant, line, "after", item="I2-7", lot="A") for line in lines]
    masters.send(*sent)
    masters.wait_until_posted(*(posting(plant, line, "after") for line in lines))


def test_a_new_worker_with_an_empty_disk_knows_all_and_copies_nothing_again(
    masters: MasterJob, worker: WorkerProcess
) -> None:
    plant, lines = masters.plant()
    masters.tell(
        *line_records(plant, lines), master("plant", plant, require=["item"]),
        *item_records(plant, ["I"]),
    )  # fmt: skip
    masters.wait_until_known(plant, 4)
    masters.wait_until_copied(plant)
    masters.job.wait_until_processed()
    before = [masters.copies(number, plant) for number in range(PARTITIONS)]
    for each in masters.job.workers:
        each.kill()
    fresh = masters.worker("fresh")
    masters.send(*(confirmed(plant, line, "now") for line in lines))
    masters.wait_until_posted(*(posting(plant, line, "now") for line in lines))
    fresh.wait_until_drained()
    assert [masters.copies(number, plant) for number in range(PARTITIONS)] == before
    assert masters.exceptions(plant) == []


# The commands.


def test_a_file_of_master_data_is_imported_listed_shown_and_exported(
    masters: MasterJob, worker: WorkerProcess, tmp_path: Path
) -> None:
    plant, (line, _) = masters.plant()
    file = tmp_path / "masters.ndjson"
    rows = [
        {"kind": "line", "plant": plant, "data": {"line": line, "cost_center": "47"}},
        {"kind": "item", "plant": plant, "data": {"item": "I", "base_uom": "kg"}},
    ]
    file.write_text("\n".join(map(json.dumps, rows)))
    dry = reference(masters.job, "import", str(file))
    assert dry == "2 new: nothing was sent; --write sends them\n"
    assert reference(masters.job, "import", str(file), "--write") == "2 new: sent\n"
    masters.wait_until_copied(plant, [0])
    wait_until("both are known", lambda: len(masters.known(plant)) == 2)
    assert reference(masters.job, "import", str(file), "--write") == (
        "2 the same: nothing was sent\n"
    )
    assert reference(masters.job, "list", "--plant", plant, "--kind", "line") == (
        f'line\t{plant}\t{line}\t{{"cost_center": "47"}}\n'
    )
    shown = json.loads(reference(masters.job, "show", "item", plant, "I"))
    assert (shown["data"], shown["mastersource"]) == ({"item": "I", "base_uom": "kg"}, "/steward")
    out = tmp_path / "out.csv"
    reference(masters.job, "export", str(out), "--plant", plant)
    assert reference(masters.job, "import", str(out)) == "2 the same: nothing was sent\n"


def reference(job: KafkaJob, *arguments: str) -> str:
    """Run `lineside reference` against the broker; return what it prints."""
    done = subprocess.run(
        [LINESIDE, "reference", *arguments, "--broker", job.broker.url, "--group", job.group],
        env={name: value for name, value in os.environ.items() if "LINESIDE" not in name},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def leader_of(workers: list[WorkerProcess]) -> WorkerProcess:
    """Return the worker that ticks, and so keeps master data and copies it."""

    def leader() -> WorkerProcess | None:
        found = [each for each in workers if (MES_EVENTS, 0) in each.owned()]
        return found[0] if len(found) == 1 else None

    found = wait_until("one of them ticks", leader)
    assert found is not None
    return found


def placed(plant: str, line: str) -> bytes:
    """Return the hold H of a lot."""
    data = {"hold": "H", "scope": "lot", "value": "LOT", "reason": "suspect"}
    return event("quality.hold_placed.v1", plant, line, "placed", **data)


def released(plant: str, line: str) -> bytes:
    """Return the release of the hold H."""
    return event("quality.hold_released.v1", plant, line, "released", hold="H", disposition="use")


def keys(plant: str, *records: str) -> list[bytes]:
    """Return the keys of records, each named as `kind/id`."""
    return [f"{kind}|{plant}|{id}".encode() for kind, id in (one.split("/") for one in records)]
