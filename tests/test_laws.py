"""The six laws of the contract, each over whole logs: any order, any repeats, any cut."""

from base64 import b64decode
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from decimal import Decimal, localcontext
from random import Random
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

import rows
from draws import logs, rngs, timings, worlds
from oracle_v2.tables import FINALS, ORDER, WINDOWED
from replays import by_line, replayed
from runs import (
    LASTING,
    START,
    Taken,
    confirmed,
    consumed,
    cut,
    event,
    new_task,
    placed,
    run,
    started,
    stepped,
    value_of,
    watched,
)
from streams.codec.decode import Decoded
from streams.contract.events import DowntimeClassified, DowntimeStarted, MachineTelemetry
from streams.contract.topics import ERP_TRANSACTIONS, EXCEPTIONS, MACHINE_EVENTS, OUTPUTS, REFERENCE
from streams.log.record import Outgoing, Record
from streams.values.instant import parse
from tables.line import states
from tables.line.conservation import balances
from tables.line.rules import Timing
from tables.line.windows import Carried
from tables.partition.partition import Partition
from tables.store.store import MemoryStore

any_logs = st.one_of(logs(), worlds())
"""Broken and repeated events of every type, or master data, rules, holds and machine states."""

# 1. Conservation


@given(any_logs, timings, rngs)
def test_accepted_is_emitted_plus_open_after_every_batch_and_after_the_close(
    lines: list[bytes], timing: Timing, rng: Random
) -> None:
    for at, records in placed(lines).items():
        task = new_task(at, timing)
        for batch in cut(records, rng):
            stepped(task, batch)
            _assert_balanced(task)
        task.close_all()
        _assert_balanced(task)
        assert not any(any(line.windows) for line in task.lines.values())


def _assert_balanced(task: Partition) -> None:
    for line in task.lines.values():
        errors = {name: each.error for name, each in balances(line, task.rules).items()}
        assert not any(errors.values()), (line.plant, line.line, errors)


@given(logs(), st.floats(0, 1), st.sampled_from([LASTING, Timing()]))
def test_each_row_is_emitted_plus_open_at_any_moment(
    lines: list[bytes], moment: float, timing: Timing
) -> None:
    with localcontext() as context:
        context.prec = 60
        for at, records in placed(lines).items():
            task = new_task(at, timing)
            seen: list[Taken] = []
            left: list[Outgoing] = []
            middle = int(len(records) * moment)
            for part in (records[:middle], records[middle:]):
                seen += watched(task, part)
                left = [output for taken in seen for output in taken.outputs]
                assert rows.total(rows.accepted(seen)) == rows.total(
                    rows.emitted(left), rows.still_open(task)
                )
            left += task.close_all()
            assert not any(any(line.windows) or line.finals for line in task.lines.values())
            assert rows.total(rows.accepted(seen)) == rows.total(
                rows.emitted(left),
                rows.still_open(task),  # what is parked
            )


@given(logs(), st.floats(0, 1))
def test_each_downtime_row_is_what_its_episodes_lasted_in_closed_windows(
    lines: list[bytes], moment: float
) -> None:
    """At any moment what was emitted, and what is carried, is each episode up to the last close."""
    for at, records in placed(lines).items():
        task = new_task(at, LASTING)
        seen = list(watched(task, records[: int(len(records) * moment)]))
        left = [output for taken in seen for output in taken.outputs]
        told = rows.total(_downtime_emitted(left), _downtime_carried(task))
        ends = {
            (line.plant, line.line): (line.watermark // 1_000_000 - 30) // 60 * 60
            for line in task.lines.values()
        }
        assert told == rows.total(_downtime_told(seen, ends))
        left += task.close_all()
        ends = {
            (line.plant, line.line): (line.watermark // 1_000_000) // 60 * 60 + 60
            for line in task.lines.values()
        }
        assert rows.total(_downtime_emitted(left)) == rows.total(_downtime_told(seen, ends))


def _downtime_told(seen: Iterable[Taken], ends: dict[tuple[str, str], int]) -> Counter[Any]:
    """Return microseconds and stops by row, counting each episode up to its line's end."""
    episodes: defaultdict[tuple[str, str, str], dict[str, Any]] = defaultdict(dict)
    for taken in seen:
        given: Any = taken.event
        if taken.outcome == "accepted" and hasattr(given.data, "episode"):
            episode = episodes[given.plant, given.line, given.data.episode]
            if isinstance(given, DowntimeStarted):
                episode["start"], episode["unit"] = given.time, given.data.work_unit
                episode.setdefault("told", (given.data.reason, given.data.planned))
            elif isinstance(given, DowntimeClassified):  # the latest holds, also before the start
                episode["told"] = given.data.reason, given.data.planned
            else:
                episode["end"] = given.time
    sums: Counter[Any] = Counter()
    for (plant, line, _), episode in episodes.items():
        if "start" not in episode:
            continue
        until = ends[plant, line] * 1_000_000
        last = min(until, episode.get("end", episode["start"] + 86_400_000_000))
        where = plant, line, (episode["unit"], *episode["told"])
        sums[where, "micros"] += max(0, last - episode["start"])
        # A stop belongs to the window that the start is in, so it's told when that one closes.
        sums[where, "stops"] += episode["start"] < until
    return sums


def _downtime_emitted(left: Iterable[Outgoing]) -> Counter[Any]:
    sums: Counter[Any] = Counter()
    for output in left:
        if output.type != "summary.downtime.v1":
            continue
        record = value_of(output)
        data = record["data"]
        where = (
            record["plant"],
            record["line"],
            (data["work_unit"], data["reason"], data["planned"]),
        )
        sums[where, "micros"] += int(Decimal(data["seconds"]) * 1_000_000)
        sums[where, "stops"] += int(data["stops"])
    return sums


def _downtime_carried(task: Partition) -> Counter[Any]:
    sums: Counter[Any] = Counter()
    kind = task.rules.downtime
    for line in task.lines.values():
        for carried in line.windows[kind.index].values():
            for (_, row), sums_ in carried.items():
                where = line.plant, line.line, row
                sums[where, "micros"] += sums_.measures[0] // 1_000
                sums[where, "stops"] += sums_.measures[1] // 10**9
    return sums


# 2. Idempotence


@given(any_logs, timings, rngs)
def test_repeats_of_accepted_records_change_nothing_that_leaves(
    lines: list[bytes], timing: Timing, rng: Random
) -> None:
    """Whether the ledger still has them (duplicates) or they're older than it reaches (too old)."""
    for at, records in placed(lines).items():
        once = new_task(at, timing)
        seen = list(watched(once, records))
        again, repeats = _with_repeats(seen, rng)
        twice = new_task(at, timing)
        left = [output for batch in cut(again, rng) for output in stepped(twice, batch)]
        assert _posted(left) == _posted(output for taken in seen for output in taken.outputs)
        assert _posted(twice.close_all()) == _posted(once.close_all())
        telemetry = sum(isinstance(each, MachineTelemetry) for each in repeats)
        assert twice.counts.accepted == once.counts.accepted + telemetry
        too_old = twice.counts.codes["too_old"] - once.counts.codes["too_old"]
        assert twice.counts.duplicate == once.counts.duplicate + len(repeats) - telemetry - too_old
        assert twice.counts.exception == once.counts.exception + too_old
        assert twice.counts.tick == once.counts.tick


@given(any_logs, rngs)
def test_repeats_within_retention_are_duplicates_all(lines: list[bytes], rng: Random) -> None:
    for at, records in placed(lines).items():
        seen = list(watched(new_task(at, LASTING), records))
        again, repeats = _with_repeats(seen, rng)
        task = new_task(at, LASTING)
        outcomes = Counter(taken.outcome for taken in watched(task, again))
        before = Counter(taken.outcome for taken in seen)
        telemetry = sum(isinstance(each, MachineTelemetry) for each in repeats)
        before["duplicate"] += len(repeats) - telemetry
        before["accepted"] += telemetry
        assert outcomes == before


def _with_repeats(seen: Sequence[Taken], rng: Random) -> tuple[list[Record], list[Decoded]]:
    """Return the records with some accepted ones repeated anywhere later, and what is repeated."""
    accepted = [place for place, taken in enumerate(seen) if taken.outcome == "accepted"]
    chosen = rng.choices(accepted, k=rng.randint(1, 20)) if accepted else []
    later: defaultdict[int, list[int]] = defaultdict(list)
    for place in chosen:
        later[rng.randrange(place, len(seen))].append(place)
    records = []
    for last in range(len(seen)):
        for each in (last, *later[last]):
            records.append(msgspec.structs.replace(seen[each].record, offset=len(records)))
    return records, [seen[place].event for place in chosen]


def _posted(left: Iterable[Outgoing]) -> list[Outgoing]:
    return [output for output in left if output.topic != EXCEPTIONS]


def test_an_identity_accepted_anew_stays_in_the_ledger_when_its_old_bucket_goes() -> None:
    """It expired, was used again in the very batch that sweeps, and is repeated in the next."""
    timing = Timing(mes_retention_seconds=7_200)
    log = [consumed(0, id="a"), consumed(6 * 3_600), *[consumed(6 * 3_600, id="a")] * 2]
    for sizes in ([4], [1, 2, 1], [1, 1, 1, 1], [3, 1], [2, 2]):
        ((at, records),) = placed(log).items()
        task = new_task(at, timing)
        for size in sizes:
            stepped(task, records[:size])
            records = records[size:]
        assert (task.counts.accepted, task.counts.duplicate) == (3, 1), sizes


# 3. Determinism


@given(any_logs, timings, rngs)
def test_the_same_log_gives_the_same_records_however_it_is_cut(
    lines: list[bytes], timing: Timing, rng: Random
) -> None:
    whole = run(lines, timing=timing)
    parts = run(lines, timing=timing, batches=rng)
    assert parts.outputs == whole.outputs
    for at, task in parts.tasks.items():
        assert _state(task) == _state(whole.tasks[at])
        assert task.close_all() == whole.tasks[at].close_all()


@given(any_logs, timings, st.sampled_from([2, 4, 16]))
def test_the_number_of_partitions_changes_nothing_per_line_and_topic(
    lines: list[bytes], timing: Timing, partitions: int
) -> None:
    log = b"\n".join(lines)
    one, many = (replayed(log, timing, partitions=count, close=True) for count in (1, partitions))
    for topic in (*OUTPUTS, REFERENCE):
        assert _of_lines(many.left[topic]) == _of_lines(one.left[topic]), topic
    for name in ("accepted", "duplicate"):
        assert many.report.counts[name] == one.report.counts[name]


def _of_lines(records: list[dict[str, Any]]) -> dict[Any, list[Any]]:
    """Return what left by its line; exceptions without where they lay.

    An exception that names no line is left out: its partition is anybody's, and a tick or master
    data that is refused is refused on each.
    """
    found = by_line(records, partitions=2)
    return {place: told for place, told in found.items() if None not in place}


@given(any_logs, timings, rngs)
def test_a_restart_at_any_batch_boundary_changes_nothing(
    lines: list[bytes], timing: Timing, rng: Random
) -> None:
    for at, records in placed(lines).items():
        steady = new_task(at, timing)
        expected = stepped(steady, records)
        store = MemoryStore()
        left: list[Outgoing] = []
        for batch in cut(records, rng):
            left += stepped(new_task(at, timing, store=store), batch)
        task = new_task(at, timing, store=store)
        assert _by_line(left) == _by_line(expected)
        assert _state(task) == _state(steady)
        assert task.counts == steady.counts
        assert _by_line(task.close_all()) == _by_line(steady.close_all())


@given(any_logs, timings, rngs)
def test_after_a_crash_before_the_commit_only_the_uncommitted_repeats(
    lines: list[bytes], timing: Timing, rng: Random
) -> None:
    """What was delivered and not committed comes again, equal in id and content, cut anyhow."""
    for at, records in placed(lines).items():
        expected = stepped(new_task(at, timing), records)
        store = MemoryStore()
        committed: list[Outgoing] = []
        rest: Sequence[Record] = records
        task = new_task(at, timing, store=store)
        while rest:
            batch = next(cut(rest, rng))
            # As a consumer that went back too far would: records that the state has seen.
            back = rng.randint(0, min(3, len(records) - len(rest)))
            start = len(records) - len(rest) - back
            step = task.step(records[start : start + back + len(batch)])
            reach = len(committed) + len(step.outputs)
            assert _by_line(step.outputs) == _by_line(expected[len(committed) : reach])
            if rng.random() < 0.5:  # delivered, then killed
                task = new_task(at, timing, store=store)
                continue
            task.commit(step)
            committed += step.outputs
            rest = rest[len(batch) :]
        assert len(committed) == len(expected)


def _by_line(left: Iterable[Outgoing]) -> dict[bytes | None, list[Outgoing]]:
    """Group by key: a tick closes windows of many lines, and they have no order among them."""
    found: defaultdict[bytes | None, list[Outgoing]] = defaultdict(list)
    for output in left:
        found[output.key].append(output)
    return dict(found)


def _state(task: Partition) -> dict[bytes, Any]:
    """Return what a task knows of its lines, without what is there for speed, or only lingers.

    What was learnt late of machine states is told to the window that holds the watermark first: when
    that happens depends on where steps are cut, and what comes of it doesn't. A row that it has added
    to, and taken the same from, is left out: it never leaves.
    """
    for line in task.lines.values():
        states.settle(line, task.rules)
    return {
        key: (
            line.watermark,
            line.furthest,
            [_leaving(carried) for carried in line.windows],
            line.finals,
            line.parked,
            [(each.begin, each.valid_from) for each in line.boundaries],
            line.accepted,
            line.emitted,
            line.accepted_events,
            line.late_events,
        )
        for key, line in task.lines.items()
    }


def _leaving(carried: Carried) -> Carried:
    """Return windows by their carriers' ends, without the rows that hold nothing."""
    found = {
        end: {key: row for key, row in held.items() if row.count or any(row.measures)}
        for end, held in carried.items()
    }
    return {end: held for end, held in found.items() if held}


# 4. Order


@given(logs(), timings)
def test_records_leave_in_the_order_of_what_caused_them(lines: list[bytes], timing: Timing) -> None:
    """One event: windows by end, then kind, then id; notifications by start; then its own; then
    what it frees."""
    for at, records in placed(lines).items():
        task = new_task(at, timing)
        for record in records:
            waiting = {
                key: end
                for line in task.lines.values()
                for end, finals in line.finals.items()
                for key in finals
            }
            (taken,) = watched(task, [record])
            by_line: defaultdict[tuple[str, str], list[tuple[Any, ...]]] = defaultdict(list)
            for output in taken.outputs:
                told = value_of(output)
                if output.topic != EXCEPTIONS:
                    turn = _turn(told, taken, waiting)
                    by_line[told["plant"], told["line"]] += [turn] if turn else []
            for turns in by_line.values():
                assert turns == sorted(turns)


CLOSING = [WINDOWED[short].type if short in WINDOWED else short for short in ORDER]
AT_ONCE = ["mn", "pc", "gr", "gi", "sp", "lc", "os", "qn", "st", "rf"]


def _turn(record: dict[str, Any], taken: Taken, waiting: dict[str, int]) -> tuple[Any, ...] | None:
    """Return what a record's place among those of one event depends on.

    None: it is the notification of an episode whose end or classification this is. It leaves when
    that raises the watermark, or when it is folded; which of the two, the oracle says.
    """
    data, kind, id = record["data"], record["type"], record["id"]
    if id in waiting:
        return 0, waiting[id], CLOSING.index(FINALS), id.encode()
    if "window_end" in data:
        end, start = (parse(data[name]) for name in ("window_end", "window_start"))
        carrier_end = end + data["revision"] * (end - start)
        return 0, carrier_end, CLOSING.index(kind), id.encode()
    given: Any = taken.event
    if kind == "erp.maintenance_notification.v1":
        if getattr(getattr(given, "data", None), "episode", None) != data["episode"]:
            return 1, parse(record["time"]), data["episode"]
        if not isinstance(given, DowntimeStarted):
            return None
    elif "causes" in data and data["causes"] != [given.id]:
        return (3,)  # freed: in the order in which they were accepted
    return 2, AT_ONCE.index(id.removeprefix("rv:").partition(":")[0])


@given(any_logs, timings)
def test_a_batch_sends_what_its_records_send_one_after_the_other(
    lines: list[bytes], timing: Timing
) -> None:
    for at, records in placed(lines).items():
        alone = [
            output for taken in watched(new_task(at, timing), records) for output in taken.outputs
        ]
        assert stepped(new_task(at, timing), records) == alone


# 5. No loss


@given(any_logs, timings, rngs)
def test_every_record_becomes_one_thing_and_the_counts_add_up(
    lines: list[bytes], timing: Timing, rng: Random
) -> None:
    done = run(lines, timing=timing, batches=rng, partitions=2)
    records = placed(lines, 2)
    for at, task in done.tasks.items():
        counts = task.counts
        total = counts.accepted + counts.duplicate + counts.exception + counts.tick
        assert total == len(records[at])
        assert counts.codes.total() == counts.exception
        assert task.offset == records[at][-1].offset
    ids = [output.id for output in done.exceptions]
    assert len(set(ids)) == len(ids) == done.counts["exception"]


@given(any_logs)
def test_each_exception_carries_the_record_that_it_refuses(lines: list[bytes]) -> None:
    done = run(lines)
    records = {
        f"{topic}/{number}/{record.offset}": record
        for (topic, number), placed_ in placed(lines).items()
        for record in placed_
    }
    for output in done.exceptions:
        told, record = value_of(output), records[output.id]
        assert told["id"] == output.id
        assert b64decode(told["data"]["value"]) == record.value
        assert output.key == record.key
        assert told["data"]["reason"]


def test_a_line_of_a_log_is_one_record_and_a_tick_one_on_each_partition() -> None:
    lines = [consumed(0), b"", event("clock.tick.v1", 5), b"{"]
    records = placed([line for line in lines if line], 4)
    assert {at: len(each) for at, each in records.items()}.keys() == {
        (topic, number) for topic in ("mes.events.v1", "machine.events.v1") for number in range(4)
    }
    assert sum(len(each) for each in records.values()) == 1 + 8 + 1


# 6. Relevance


@given(logs(), timings)
def test_no_machine_event_stands_on_the_erp_topic(lines: list[bytes], timing: Timing) -> None:
    done = run(lines, timing=timing, close=True)
    for (topic, _), left in done.outputs.items():
        told = {output.topic for output in left}
        if topic == MACHINE_EVENTS:
            assert told <= {"summary.machine.v1", "summary.machine_state.v1", EXCEPTIONS}
        else:
            assert not any(topic.startswith("summary.machine") for topic in told)


@given(worlds(), timings)
def test_no_posting_key_occurs_twice(lines: list[bytes], timing: Timing) -> None:
    ids = Counter(output.id for output in run(lines, timing=timing, close=True).records)
    assert [id for id, count in ids.items() if count > 1] == []


@given(logs(), timings)
def test_telemetry_leaves_nowhere(lines: list[bytes], timing: Timing) -> None:
    """It raises the watermark, so windows close; but a log of it alone says nothing."""
    machine = placed(lines).get((MACHINE_EVENTS, 0), [])
    seen = list(watched(new_task((MACHINE_EVENTS, 0), timing), machine))
    telemetry = [taken for taken in seen if isinstance(taken.event, MachineTelemetry)]
    for taken in telemetry:
        if taken.outcome == "accepted":
            assert all("window_end" in value_of(output)["data"] for output in taken.outputs)
    alone = new_task((MACHINE_EVENTS, 0), timing)
    for again in watched(alone, [taken.record for taken in telemetry]):
        assert again.outcome == "accepted" or again.outputs[0].topic == EXCEPTIONS
        assert again.outcome == "exception" or again.outputs == []
    assert alone.close_all() == []


def test_a_breakdown_on_the_erp_topic_is_caused_by_the_mes_alone() -> None:
    log = [
        started(0),
        event("machine.state.v1", 0, work_unit="U1", state="Aborted"),
        event("machine.state.v1", 700, work_unit="U1", state="Execute"),
        confirmed(700),
    ]
    left = [output for output in run(log).records if output.topic == ERP_TRANSACTIONS]
    assert [output.type for output in left] == [
        "erp.maintenance_notification.v1",
        "erp.production_confirmation.v1",
    ]
    assert value_of(left[0])["data"]["causes"] == ["EP1 started@0"]
    assert START % 3_600 == 0
