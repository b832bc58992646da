"""Faults of where a worker runs: who holds its page's connections, its disk's bytes, its clock."""

import contextlib
import resource
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from aiokafka import TopicPartition

from broker import run_apart
from chaos_job import Chaos, now_ms
from chaos_reference import quiet_tick_seconds
from contents import all_bounds
from kafka_workers import WorkerProcess, http_status, wait_until
from streams.contract.topics import CLOCK

CONNECTIONS: Final = 1_000

DESCRIPTORS_MAX: Final = 1_024
"""What systemd gives a service."""

ELSEWHERE: Final = "127.0.0.9"
"""Who holds the connections: another address than who asks whether the worker lives."""

HELD_SECONDS: Final = 5.0

PROBE_SECONDS_MAX: Final = 5.0
"""A kubelet waits for an answer for so long, and no longer."""

FLIPPED_BYTES: Final = 64

TICK_SECONDS: Final = 2

LEAP_SECONDS: Final = 9.0
LEAPS: Final = ("+55m", "-55m")
"""No more than what Kafka puts up with: records an hour ahead are refused by the broker."""

TICKS_SECONDS_MAX: Final = 30.0
"""Ticks go on so soon after a clock is right again: a session and some ticks."""

CLAIMS: Final = 2
"""Of ticks: the first may have been under way."""

OFFSETS_OF_A_CLAIM: Final = 2
"""It is a record and the end of its transaction."""

PRELOADED: Final = "faketime/libfaketimeMT.so.1"


def hold_connections(chaos: Chaos) -> None:
    """A thousand idle connections to a worker's page, while a third worker comes and goes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    room = CONNECTIONS + DESCRIPTORS_MAX
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(max(soft, room), hard), hard))
    for _ in chaos.faults():
        chaos.wait_until_settled()
        worker = chaos.workers[chaos.any()]
        limits = (DESCRIPTORS_MAX, DESCRIPTORS_MAX)
        resource.prlimit(worker.process.pid, resource.RLIMIT_NOFILE, limits)
        since = now_ms()
        with _held(worker):
            began = time.monotonic()
            while time.monotonic() - began < HELD_SECONDS:
                chaos.check()
                _probe(worker)
                time.sleep(1.0)
            chaos.start("third")
            chaos.wait_until_settled()
            chaos.stop("third")
            chaos.wait_until_settled()
            _probe(worker)
        chaos.resume(chaos.partitions, since)


@contextmanager
def _held(worker: WorkerProcess) -> Iterator[None]:
    """Hold connections on which nothing is asked; the worker may close them."""
    port = int(worker.url.rstrip("/").rsplit(":", 1)[1])
    with contextlib.ExitStack() as held:
        for _ in range(CONNECTIONS):
            with contextlib.suppress(OSError):
                to = ("127.0.0.1", port)
                held.enter_context(socket.create_connection(to, 1, (ELSEWHERE, 0)))
        yield


def _probe(worker: WorkerProcess) -> None:
    began = time.monotonic()
    try:
        status = http_status(f"{worker.url}livez")
    except OSError as error:
        raise AssertionError(f"/livez: {error}") from None
    took = time.monotonic() - began
    assert status == 200, f"/livez: {status}"
    assert took < PROBE_SECONDS_MAX, f"/livez took {took:.1f} s"


def flip_bytes(chaos: Chaos) -> None:
    """Bytes of a worker's copies of states are flipped, before it starts or while it runs."""
    for number in chaos.faults():
        chaos.wait_until_settled()
        name = chaos.any()
        folder = chaos.workers[name].folder
        chaos.stop(name)
        runs = number % 2 == 1
        if not runs:
            _flip(chaos, folder)
        chaos.start(name)
        if runs:
            chaos.wait_until_settled()
            _flip(chaos, folder)
        since = now_ms()
        chaos.resume(chaos.partitions, since)
        chaos.pause(2.0)


def _flip(chaos: Chaos, folder: Path) -> None:
    tables = sorted(folder.glob("state/*/*.sst"))
    assert tables, f"there is nothing to flip in {sorted(folder.glob('state/*/*'))}"
    for path in tables:
        with path.open("r+b") as file:
            begin = chaos.rng.choice((20, path.stat().st_size // 2))
            file.seek(begin)
            there = file.read(FLIPPED_BYTES)
            file.seek(begin)
            file.write(bytes(byte ^ 0xFF for byte in there))


def leap(chaos: Chaos) -> None:
    """The workers' clocks leap 55 minutes ahead, or back, and are put right after 9 s."""
    library = next(iter(Path("/usr/lib").glob(f"*/{PRELOADED}")), None)
    assert library is not None, f"{PRELOADED} is needed: apt-get install libfaketime"
    clock = chaos.job.folder / "clock"
    clock.write_text("+0\n")
    faked = {
        "LD_PRELOAD": str(library),
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_CACHE_DURATION": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    for name in list(chaos.workers):
        chaos.stop(name)
        chaos.start(name, environment=faked)
    for number in chaos.faults():
        chaos.wait_until_settled()
        _wait_for_ticks(chaos)
        clock.write_text(f"{LEAPS[number % len(LEAPS)]}\n")
        time.sleep(LEAP_SECONDS)
        clock.write_text("+0\n")
        chaos.resumed.append(_wait_for_ticks(chaos))
    for name in list(chaos.workers):  # what comes to an end can be compared
        chaos.stop(name)
        chaos.start(name, tick_seconds=quiet_tick_seconds())
    chaos.wait_until_settled()


def _wait_for_ticks(chaos: Chaos) -> float:
    """Wait until some more ticks are claimed; return how many seconds it took.

    The load has ticks, too: a worker claims its own on the clock's topic before it writes them.
    """
    began, claimed = time.monotonic(), _claimed(chaos)

    def ticked() -> bool:
        chaos.check()
        time.sleep(0.2)
        return _claimed(chaos) >= claimed + CLAIMS * OFFSETS_OF_A_CLAIM

    wait_until("ticks go on", ticked, TICKS_SECONDS_MAX)
    return time.monotonic() - began


def _claimed(chaos: Chaos) -> int:
    clock = TopicPartition(CLOCK, 0)
    return run_apart(all_bounds(chaos.job.cluster, [clock]))[clock][1]
