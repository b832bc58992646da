"""What the page says of lines: bounded whatever there is, and of what this process counted."""

import asyncio
import time
from collections.abc import Iterable, Sequence
from types import SimpleNamespace
from typing import Any, cast

import orjson
import pytest
from aiohttp import ClientSession
from faust.types import TP

from agents.partition.meter import Meter
from agents.process_events import Job
from agents.serve import status as views_module
from agents.serve.lines import LINES_LISTED_MAX, STATES
from agents.serve.status import QUERIES_MAX, BusyError, Host, JobStatus, Query
from agents.serve.survey import Surveys
from agents.serve.turns import TIME_SHARE_MAX, Timed, Turns
from agents.serve.web import create_web, serve, url_of
from runs import event, new_task, stepped
from streams.contract.topics import MACHINE_EVENTS, MES_EVENTS
from streams.log.record import Record
from streams.values import instant
from tables.line.episodes import Episode
from tables.line.line import Line
from tables.partition.partition import Partition
from tables.store.store import MemoryStore, Store

MANY = 20_000
SOME = 3_000
AT = 1_790_000_000 * instant.SECOND
HELD_SECONDS_MAX = 0.2
"""Of this thread's own time between two turns of the event loop; a slice takes 3 ms."""


class FakeJob:
    """A job's partitions and what it has measured, without any log."""

    def __init__(self) -> None:
        self.tasks: dict[TP, Any] = {}
        self.meter = Meter()
        self.recent: dict[str, list[Any]] = {"transactions": [], "summaries": [], "exceptions": []}
        self.ready = True

    @property
    def partitions(self) -> dict[TP, Partition]:
        return {tp: task.partition for tp, task in sorted(self.tasks.items())}

    def open(
        self, topic: str, number: int, lines: Iterable[str] = (), store: Store | None = None
    ) -> Partition:
        """Take over a partition that has these lines."""
        partition = new_task((topic, number), store=store)
        for name in lines:
            see(partition, name)
        self.meter.opening(topic, number)
        self.meter.opened(partition)
        self.tasks[TP(topic, number)] = SimpleNamespace(partition=partition, lasting=0, deleted=0)
        return partition

    def close(self, topic: str, number: int) -> None:
        self.meter.closed(self.tasks.pop(TP(topic, number)).partition)


class FakeHost:
    """Ends and numbers of partitions that are nowhere."""

    broker_name = "none"
    guarantee = "at_least_once"
    partitions_in_all = 8

    def end_offset(self, _: TP) -> int:
        return 0

    def standbys(self) -> dict[TP, int]:
        return {}


def see(partition: Partition, name: str, at: int = AT) -> Line:
    line = Line("DE01", name, at, partition.rules)
    partition.lines[line.key] = line
    return line


def job_status_of(job: FakeJob, share: float = TIME_SHARE_MAX) -> JobStatus:
    return JobStatus("test", cast("Job", job), cast("Host", FakeHost()), Turns(share))


def with_lines(count: int) -> FakeJob:
    job = FakeJob()
    for number in range(4):
        job.open(MES_EVENTS, number, [f"L{n}" for n in range(number, count, 4)])
    return job


async def watched(until: "asyncio.Future[Any]") -> float:
    """Return for how long the event loop was held at most, until this is done."""
    longest, before = 0.0, time.thread_time()
    while not until.done():
        await asyncio.sleep(0)
        now = time.thread_time()
        longest, before = max(longest, now - before), now
    return longest


class ClosingStore(MemoryStore):
    """A store of which nothing can be read once it is closed."""

    closed = False

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        assert not self.closed
        return super().get_many(keys)


async def test_a_partition_that_becomes_anothers_during_a_survey_isnt_read_any_more() -> None:
    job, store = FakeJob(), ClosingStore()
    first = job.open(MES_EVENTS, 0, [f"L{n}" for n in range(SOME)])
    hold = {"hold": "H", "scope": "lot", "value": "V", "reason": "r"}
    told = event("reference.hold.v1", 0, source="/lineside", line="*", **hold)
    stepped(first, [Record(0, None, None, told)])
    job.open(MES_EVENTS, 1, store=store)
    asking = asyncio.ensure_future(Surveys(cast("Job", job), Turns(TIME_SHARE_MAX)).newest(30))
    await asyncio.sleep(0.02)  # partitions are taken at its beginning
    assert not asking.done()
    job.close(MES_EVENTS, 1)
    store.closed = True
    assert (await asking)["idle_holds"] == 1


# Bounds.


async def test_many_lines_hold_neither_the_event_loop_nor_the_answer() -> None:
    job_status = job_status_of(with_lines(MANY))
    for _ in range(3):
        began = time.monotonic()
        asking = asyncio.ensure_future(job_status.status())
        assert await watched(asking) < HELD_SECONDS_MAX
        assert time.monotonic() - began < 3
    await job_status.end()


async def test_an_answer_lists_a_bounded_number_of_lines_and_says_how_many_there_are() -> None:
    job = with_lines(SOME)
    for number in (3, 2_003):
        line = job.partitions[TP(MES_EVENTS, number % 4)].lines[f"DE01/L{number}".encode()]
        line.episodes["E"] = Episode("press-1", start=AT, reason="jam")
        line.live.add("E")
    job_status = job_status_of(job)
    first = await job_status.status()
    assert first["surveyed"] is None
    assert first["conservation"] is None  # it isn't said to hold before it was looked at
    status = await job_status_of(job, 1.0).status(60)
    assert [line["line"] for line in status["lines"][:4]] == ["L3", "L2003", "L0", "L1"]
    assert len(status["lines"]) == LINES_LISTED_MAX
    assert status["line_count"] == SOME
    assert status["line_states"] == {
        **dict.fromkeys(STATES, 0),
        "down": 2,
        "running": SOME - 2,
        "stored": 0,
    }
    assert len(orjson.dumps(status)) < 300_000
    await job_status.end()


async def test_looking_at_lines_takes_a_small_share_of_the_time_however_many_ask() -> None:
    job_status = job_status_of(with_lines(MANY))
    app = create_web(job_status.status, lines=job_status.lines)
    runner = await serve(app, "127.0.0.1", 0)
    stop = asyncio.Event()

    async def ask(session: ClientSession, path: str) -> None:
        while not stop.is_set():
            async with session.get(path) as response:
                await response.read()
            await asyncio.sleep(0.2)

    try:
        async with ClientSession(url_of(runner)) as session:
            paths = ["api/status"] * 5 + [f"api/lines?text={n}" for n in range(5)]
            asking = [asyncio.ensure_future(ask(session, path)) for path in paths]
            cpu, began = time.thread_time(), time.monotonic()
            await asyncio.sleep(4)
            share = (time.thread_time() - cpu) / (time.monotonic() - began)
            stop.set()
            for one in asking:
                one.cancel()
    finally:
        await job_status.end()
        await runner.cleanup()
    assert share < 0.3  # with the requests themselves, and this test's clients


async def test_a_dear_status_is_made_once_for_all_who_ask() -> None:
    made = 0

    async def dear() -> dict[str, Any]:
        nonlocal made
        made += 1
        end = time.thread_time() + 0.02
        while time.thread_time() < end:
            pass
        return {"made": made}

    runner = await serve(create_web(dear), "127.0.0.1", 0)
    try:
        async with ClientSession(url_of(runner)) as session:
            for _ in range(40):
                async with session.get("api/status") as response:
                    assert response.status == 200
    finally:
        await runner.cleanup()
    assert made <= 3  # 20 ms are a hundredth of 2 s


async def test_what_is_timed_counts_its_own_time_and_takes_a_cancellation() -> None:
    ended: list[str] = []

    async def work(seconds: float) -> str:
        try:
            await asyncio.sleep(0.1)
            end = time.thread_time() + seconds
            while time.thread_time() < end:
                pass
            await asyncio.sleep(0.1)
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise
        return "done"

    timed = Timed(work(0.05))
    assert await timed == "done"
    assert 0.05 <= timed.seconds < 0.1
    cancelled = Timed(work(0))

    async def wait() -> None:
        await cancelled

    task = asyncio.ensure_future(wait())
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended == ["cancelled"]


# Asking for lines.


async def test_every_line_comes_once_when_pages_are_asked_for_one_by_one() -> None:
    job = with_lines(SOME)
    for name in ("L7", "L8"):
        see(job.open(MACHINE_EVENTS, int(name[1:]) % 4), name)
    job_status = job_status_of(job, 1.0)
    found: list[str] = []
    after = "DE01/L999"
    while after is not None:
        page = await job_status.lines(Query(plant="DE01", after=after))
        assert len(page["lines"]) <= LINES_LISTED_MAX
        found += [line["line"] for line in page["lines"]]
        after = page["next"]
    assert found == [f"L{n}" for n in range(1_000, SOME)]


async def test_a_line_is_found_by_its_name_and_by_words() -> None:
    job = with_lines(SOME)
    see(job.open(MACHINE_EVENTS, 0), "L8").state = "setting up"
    job_status = job_status_of(job)
    (one,) = (await job_status.lines(Query(plant="DE01", line="L8")))["lines"]
    assert one["mes_watermark"] == one["machine_watermark"] == instant.text(AT)
    assert one["detail"] == "setting up"
    assert (await job_status.lines(Query(plant="DE02")))["lines"] == []
    by_words = await job_status.lines(Query(text="SETTING de01"))
    assert [line["line"] for line in by_words["lines"]] == ["L8"]
    assert by_words["matching"] == 1


async def test_one_line_is_found_at_once_and_a_long_search_says_to_ask_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(views_module, "QUERY_SECONDS_MAX", 0.01)
    job_status = job_status_of(with_lines(MANY), 0.1)
    surveying = asyncio.ensure_future(job_status.status(60))
    searching = Query(text="L19999")
    with pytest.raises(BusyError, match="ask the same again"):
        await job_status.lines(searching)
    monkeypatch.setattr(views_module, "QUERY_SECONDS_MAX", 60)
    (one,) = (await job_status.lines(Query(plant="DE01", line="L77")))["lines"]
    assert one["line"] == "L77"
    assert not surveying.done()
    assert (await job_status.lines(searching))["matching"] == 1
    surveying.cancel()
    await job_status.end()


async def test_wrong_and_too_many_questions_for_lines_are_refused() -> None:
    job_status = job_status_of(with_lines(SOME), 1.0)
    asked = [
        asyncio.ensure_future(job_status.lines(Query(text=str(n)))) for n in range(QUERIES_MAX)
    ]
    await asyncio.sleep(0)
    again = asyncio.ensure_future(
        job_status.lines(Query(text="0"))
    )  # the same: it's answered with it
    with pytest.raises(BusyError):
        await job_status.lines(Query(text="one more"))
    first, *_ = await asyncio.gather(*asked)
    assert await again is first
    runner = await serve(create_web(job_status.status, lines=job_status.lines), "127.0.0.1", 0)
    try:
        async with (
            ClientSession(url_of(runner)) as session,
            session.get("api/lines?plan=DE01") as response,
        ):
            assert response.status == 400
            assert "plant, line, text, after" in await response.text()
    finally:
        await runner.cleanup()


# Rates, states, and what is left at the end.


async def test_a_partition_that_comes_or_goes_makes_no_rate() -> None:
    job = FakeJob()
    staying, going = (job.open(MES_EVENTS, n, [f"L{n}"]) for n in range(2))
    for partition in (staying, going):
        partition.counts.accepted = 7_200
        for line in partition.lines.values():
            line.accepted_events = 7_200
    job_status = job_status_of(job)
    await job_status.status(10)
    await asyncio.sleep(0.1)
    job.close(MES_EVENTS, 1)
    status = await job_status.status(10)
    assert status["rate"] == 0
    assert [line["rate"] for line in status["lines"]] == [0]
    back = job.open(MES_EVENTS, 1, ["L1"])
    back.counts.accepted = 9_000
    (line,) = back.lines.values()
    line.accepted_events = 9_000
    await asyncio.sleep(0.6)
    status = await job_status.status(10)
    assert status["rate"] == 0
    assert [line["rate"] for line in status["lines"]] == [0, None]
    job.meter.computed(500, 0.1)
    line.accepted_events += 500
    await asyncio.sleep(0.1)
    status = await job_status.status(10)
    assert status["rate"] > 0
    assert status["lines"][0]["rate"] == 0
    assert status["lines"][1]["rate"] > 0


async def test_a_planned_stop_isnt_down_and_one_unplanned_beside_it_is() -> None:
    job = FakeJob()
    partition = job.open(MACHINE_EVENTS, 0)
    for name, planned in (("L1", [True]), ("L2", [True, False]), ("L3", [])):
        line = see(partition, name)
        for number, one in enumerate(planned):
            episode = f"E{number}"
            line.episodes[episode] = Episode("press", start=AT, reason="shift", planned=one)
            line.live.add(episode)
    see(partition, "L4", AT - 3_600 * instant.SECOND)
    status = await job_status_of(job).status(10)
    states = {line["line"]: line["state"] for line in status["lines"]}
    assert states == {"L1": "planned", "L2": "down", "L3": "running", "L4": "silent"}
    assert status["line_states"] == dict.fromkeys(STATES, 1) | {"stored": 0}


async def test_a_status_says_which_part_of_the_inputs_it_is_of() -> None:
    job = FakeJob()
    for number in range(3):
        job.open(MES_EVENTS, number)
    assert (await job_status_of(job).status())["share"] == {"partitions": 3, "of": 8}


async def test_the_last_figures_stay_when_partitions_have_been_let_go_of() -> None:
    job = FakeJob()
    job.open(MES_EVENTS, 0, ["L1"]).counts.accepted = 5
    job_status = job_status_of(job)
    await job_status.end()
    job.close(MES_EVENTS, 0)
    status = await job_status.status()
    assert status["ended"]
    assert status["counts"]["in"] == 5
    assert status["line_count"] == 1
