"""Ticks on Kafka: at the brokers' time, whatever a worker's clock says, and no slot twice."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable

import pytest
from aiokafka import TopicPartition
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from agents.tick_clock import tick_bytes
from contents import all_bounds
from kafka_workers import KafkaJob
from streams.contract.topics import CLOCK, INPUTS
from streams.kafka.clock import KafkaTicker
from streams.kafka.producer import Outputs
from streams.values.instant import SECOND

TICK_SECONDS = 1.0

LEAP_SECONDS = 3300.0
"""Less than what brokers refuse by themselves (an hour)."""

SLOW_SECONDS = 20.0
"""Less than what is taken for wrong."""


class Leader:
    """One who writes ticks, by a clock that a test sets."""

    def __init__(self, job: KafkaJob) -> None:
        self.outputs = Outputs(job.cluster)
        self.ticker = KafkaTicker(
            job.cluster,
            job.cluster,
            self.outputs,
            job.group,
            TICK_SECONDS,
            lambda: time.time() + self.ahead,
        )
        self.ahead = 0.0
        self._job = job
        self._slot = 0

    async def tick(self) -> int:
        """Come to the next slot of this clock; return how many ticks are on the inputs then."""
        now = (time.time() + self.ahead) * SECOND
        self._slot = max(round(now // SECOND) * SECOND, self._slot + SECOND)
        if self._slot > now + 2 * SECOND:  # the clock was set back
            self._slot = round(now // SECOND) * SECOND
        await self.ticker.tick(self._slot, tick_bytes(self._slot))
        tps = [TopicPartition(name, n) for name in INPUTS for n in range(self._job.partitions)]
        return sum(end for _, end in (await all_bounds(self._job.cluster, tps)).values())

    async def close(self) -> None:
        await self.ticker.close()
        await self.outputs.close()


NewLeader = Callable[[], Leader]


@pytest.fixture
async def new_leader(job: KafkaJob) -> AsyncIterator[NewLeader]:
    """Gives one after the other; all are closed at the end."""
    leaders: list[Leader] = []

    def leader() -> Leader:
        leaders.append(Leader(job))
        return leaders[-1]

    yield leader
    for one in leaders:
        await one.close()


@pytest.fixture
def each(job: KafkaJob) -> int:
    """How many records a tick is."""
    return len(INPUTS) * job.partitions


async def test_a_clock_that_leapt_writes_no_tick_and_ticks_go_on_when_it_is_right(
    new_leader: NewLeader, each: int, caplog: pytest.LogCaptureFixture
) -> None:
    leader = new_leader()
    assert await leader.tick() == each
    assert abs(leader.ticker.difference or 0.0) < SLOW_SECONDS
    leader.ahead = LEAP_SECONDS
    for _ in range(3):
        assert await leader.tick() == each
    assert leader.ticker.difference == pytest.approx(LEAP_SECONDS, abs=SLOW_SECONDS)
    (said,) = [one for one in caplog.messages if "no tick is written" in one]
    assert "s ahead of the brokers': set the clock that is wrong" in said
    leader.ahead = 0.0
    await asyncio.sleep(TICK_SECONDS)  # the first tick's slot is over, however quick this went
    assert await leader.tick() == 2 * each
    assert "ticks go on" in caplog.messages
    assert await new_leader().tick() in (2 * each, 3 * each)  # the same slot, or the next


async def test_a_worker_after_one_whose_clock_leapt_writes_ticks(
    new_leader: NewLeader, each: int
) -> None:
    wrong = new_leader()
    wrong.ahead = LEAP_SECONDS
    assert await wrong.tick() == 0
    assert await new_leader().tick() == each


async def test_a_clock_that_is_an_hour_behind_writes_no_tick(
    new_leader: NewLeader, caplog: pytest.LogCaptureFixture
) -> None:
    leader = new_leader()
    leader.ahead = -3600.0
    assert await leader.tick() == 0
    assert "s behind the brokers': set the clock that is wrong" in caplog.text


async def test_a_slot_that_was_claimed_for_later_by_a_wrong_clock_holds_nothing_up(
    job: KafkaJob, new_leader: NewLeader, each: int, caplog: pytest.LogCaptureFixture
) -> None:
    await claim(job, time.time() + LEAP_SECONDS)  # as versions did that didn't look
    first = new_leader()
    assert await first.tick() == each
    assert "the last tick was claimed for " in caplog.text
    assert await first.tick() == 2 * each
    await first.close()
    caplog.clear()
    leader = new_leader()
    for _ in range(2):
        await leader.tick()
    assert await leader.tick() > 2 * each
    assert "claimed for" not in caplog.text


async def test_a_slow_clock_writes_no_slot_again(
    new_leader: NewLeader, each: int, caplog: pytest.LogCaptureFixture
) -> None:
    first, slow = new_leader(), new_leader()
    assert await first.tick() == each
    slow.ahead = -SLOW_SECONDS
    assert await slow.tick() == each
    assert not caplog.messages
    slow.ahead = 0.0
    assert await slow.tick() >= each


async def test_without_the_brokers_time_a_worker_says_why_it_writes_no_tick(
    job: KafkaJob, new_leader: NewLeader, each: int, caplog: pytest.LogCaptureFixture
) -> None:
    await configure(job, {"cleanup.policy": "compact", "message.timestamp.type": "CreateTime"})
    assert await new_leader().tick() == each
    await claim(job, time.time() + LEAP_SECONDS)
    assert await new_leader().tick() == each
    assert "set message.timestamp.type=LogAppendTime on it" in caplog.text


async def claim(job: KafkaJob, at: float) -> None:
    """Claim the slot of an instant."""
    producer = job.cluster.producer(f"{job.group}-clock")
    await producer.start()
    try:
        async with producer.transaction():
            value = str(round(at) * SECOND).encode()
            await producer.send_and_wait(CLOCK, value, job.group.encode())
    finally:
        await producer.stop()


async def configure(job: KafkaJob, configs: dict[str, str]) -> None:
    """Give the clock's topic other settings; the next job has one of its own."""
    resource = ConfigResource(ConfigResourceType.TOPIC, CLOCK, configs=configs)
    async with job.cluster.admin() as admin:
        for answer in await admin.alter_configs([resource]):
            for code, message, *_ in answer.resources:
                assert code == 0, message
