"""A run of a job on the rig, by one worker or several, with its cost and its memory."""

import asyncio
import contextlib
import functools
import re
import signal
import time
from collections import Counter
from pathlib import Path
from typing import Final

import aiohttp
import msgspec
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import GroupCoordinatorNotAvailableError
from measure import Cost, Failed, Sample, Watched, cost
from preload import Preloaded
from rig import POLL_SECONDS, STILL_SECONDS_MAX, Rig, tell
from totals import TOPICS, Totals, add_lineside, differences, of_workload
from workload import Plan

from streams.contract.topics import INPUTS, SUMMARY_CONSUMPTION

GUARANTEE: Final = "at_least_once"
STOP_SECONDS_MAX: Final = 60

wanted_of = functools.cache(of_workload)


class Point(msgspec.Struct, frozen=True, kw_only=True):
    """A value of a subject, and what runs for it."""

    value: float
    plan: Plan
    partitions: int
    workers: int = 1


class Track(msgspec.Struct):
    """What was seen of a run, all workers together."""

    samples: list[Sample]
    resident: list[tuple[float, float]]
    """Seconds since the start, MB."""
    shares: list[float]
    """Of all CPU: what each worker took, the least first."""


class Run(msgspec.Struct):
    """A run whose totals are right."""

    cost: Cost
    worker_share_least: float
    """Of all workers' CPU, what the idlest took."""
    output_records_per_event: float
    rows: int
    """On the topic of consumption summaries."""
    state_bytes: int
    """On the workers' disks."""


def fill(rig: Rig, point: Point) -> Preloaded:
    """Put the log of a point on topics that are new."""
    rig.partitions = point.partitions
    rig.renew("lineside")
    return rig.fill(point.plan)


def run_once(
    rig: Rig, point: Point, group: str, filled: Preloaded, trial: bool
) -> tuple[Run, Track]:
    """Let the workers of a group process everything; raises `Failed` if the totals are wrong."""
    rig.create_topics(group)
    folder = rig.folder / group
    since = rig.output_ends()
    workers = start(rig, point.workers, group)
    track = asyncio.run(follow(rig, workers, group, filled, trial))
    stop(rig, workers, group)
    ends = rig.output_ends()
    found, counts = Totals(), Counter[str]()

    def take(topic: str, values: list[bytes]) -> None:
        add_lineside(found, topic, values)
        counts[topic] += len(values)

    rig.read({tp: offset for tp, offset in since.items() if tp.topic in TOPICS}, take)
    wrong = differences(wanted_of(point.plan)[0], found)
    if wrong:
        raise Failed(f"{group}: the totals aren't what they have to be: {'; '.join(wrong)}")
    state_bytes = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    rig.forget(group, folder)
    run = Run(
        cost=cost(track.samples, filled.total, track.samples[-1].cpu),
        worker_share_least=track.shares[0],
        output_records_per_event=round(sum(ends[tp] - since[tp] for tp in ends) / filled.total, 3),
        rows=counts[SUMMARY_CONSUMPTION],
        state_bytes=state_bytes,
    )
    return run, track


def start(rig: Rig, count: int, group: str) -> list[Watched]:
    """Start the workers of a group, each with a folder and a log of its own."""
    workers = []
    for number in range(count):
        workers.append(rig.worker(group, rig.folder / group / str(number), GUARANTEE))
        (rig.folder / f"{group}.log").rename(rig.folder / f"{group}-{number}.log")
    return workers


def said(rig: Rig, group: str, workers: list[Watched]) -> str:
    """Return the last of what the workers of a group have said."""
    return "\n".join(rig.said(f"{group}-{number}") for number in range(len(workers)))


async def follow(
    rig: Rig, workers: list[Watched], group: str, filled: Preloaded, trial: bool
) -> Track:
    """Sample the workers of a group until they have consumed everything.

    Each commits by a clock of its own. A look is taken when one partition's offset has moved, that
    with the most records: so it's always the same worker's commit, what the other has done since
    its own is about the same at each look, and the slope is right.
    """
    counts = {
        TopicPartition(name, number): count
        for name, each in filled.partitions.items()
        for number, count in enumerate(each)
    }
    fullest = max(counts, key=lambda tp: counts[tp])
    track = Track([], [], [])
    at, records, moved = 0, 0, time.monotonic()
    async with rig.cluster.admin() as admin, aiohttp.ClientSession() as session:
        while records < filled.total:
            await asyncio.sleep(POLL_SECONDS)
            if not all(worker.running for worker in workers):
                raise Failed(f"a worker has ended:\n{said(rig, group, workers)}")
            if trial:
                logs = [rig.said(f"{group}-{n}") for n in range(len(workers))]
                processed = await on_pages(session, logs)
            else:
                processed = await committed(admin, group)
            if sum(processed.values()) != records:
                records, moved = sum(processed.values()), time.monotonic()
                tell(f"{group}: {records:,} of {filled.total:,} records")
            if time.monotonic() - moved > STILL_SECONDS_MAX:
                raise Failed(
                    f"nothing moves for {STILL_SECONDS_MAX} s:\n{said(rig, group, workers)}"
                )
            seconds = time.monotonic() - workers[0].began
            track.resident.append((seconds, sum(resident_mb(one.process.pid) for one in workers)))
            mark = records if trial else processed.get(fullest, 0)
            if mark != at or records == filled.total:
                at = mark
                looks = [worker.look(records) for worker in workers]
                track.samples.append(together(looks))
    all_cpu = [one.cpu for one in looks]
    track.shares = sorted(round(cpu / sum(all_cpu), 3) for cpu in all_cpu)
    return track


async def committed(admin: AIOKafkaAdminClient, group: str) -> dict[TopicPartition, int]:
    """Return what a group has committed of the input topics."""
    try:
        offsets = await admin.list_consumer_group_offsets(group)
    except GroupCoordinatorNotAvailableError:  # a new broker's first group
        return {}
    return {tp: max(at.offset, 0) for tp, at in offsets.items() if tp.topic in INPUTS}


async def on_pages(session: aiohttp.ClientSession, logs: list[str]) -> dict[TopicPartition, int]:
    """Return how far the states of the workers with these logs are, by their pages."""
    found: dict[TopicPartition, int] = {}
    for log in logs:
        url = re.search(r"lineside worker: (\S+)", log)
        if url is not None:
            with contextlib.suppress(aiohttp.ClientError):
                async with session.get(f"{url[1]}api/status") as answer:
                    for one in (await answer.json())["partitions"]:
                        tp = TopicPartition(one["topic"], one["partition"])
                        found[tp] = max(found.get(tp, 0), one["offset"])
    return found


def together(looks: list[Sample]) -> Sample:
    """Return the sample of several workers as if they were one."""
    return Sample(
        seconds=max(one.seconds for one in looks),
        cpu=sum(one.cpu for one in looks),
        mb=sum(one.mb for one in looks),
        threads=sum(one.threads for one in looks),
        records=looks[0].records,
    )


def resident_mb(pid: int) -> float:
    """Return the memory of a process as of now, 0 if it's gone."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    now = re.search(r"VmRSS:\s+(\d+) kB", status)
    return int(now[1]) / 1024 if now else 0


def stop(rig: Rig, workers: list[Watched], group: str) -> None:
    """End the workers at once, so that none takes over what another has left."""
    for worker in workers:
        worker.process.send_signal(signal.SIGTERM)
    codes = [worker.wait(STOP_SECONDS_MAX) for worker in workers]
    if any(codes):
        raise Failed(f"the workers ended with codes {codes}:\n{said(rig, group, workers)}")
