"""Faults of the one broker: killed, frozen, and changelogs that it compacts all the time."""

import time
from typing import Final

from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from broker import run_apart
from chaos_job import RESUME_SECONDS_MAX, Chaos, now_ms
from chaos_workers import kill_and_wipe
from contents import stream
from streams.contract.topics import INPUTS, STATE, changelog
from streams.kafka.cluster import read_broker
from tables.store.store import HEAD

FROZEN_SECONDS_MAX: Final = 30.0
FROZEN_SESSIONS: Final = 5
"""A broker answers nobody for so many sessions, but no longer than that."""

LOOK_SECONDS: Final = 0.5
"""Between two looks at all of the changelogs."""

HARD: Final = {"segment.ms": "500", "min.cleanable.dirty.ratio": "0.001"}
"""Of a changelog that is compacted all the time."""

FORGETFUL: Final = {"delete.retention.ms": "0"}
"""Tombstones go at once; a worker refuses to start on such a changelog."""


def kill_broker(chaos: Chaos) -> None:
    """The broker is killed, and started again."""
    for _ in chaos.faults():
        chaos.pause(2.0)
        chaos.broker.kill()
        chaos.pause(2.0)
        chaos.broker.restart()
        chaos.resume(chaos.partitions, now_ms())


def freeze_broker(chaos: Chaos) -> None:
    """The broker answers nobody for a while."""
    for _ in chaos.faults():
        chaos.pause(2.0)
        chaos.broker.freeze()
        time.sleep(min(FROZEN_SECONDS_MAX, FROZEN_SESSIONS * chaos.session_seconds))
        chaos.broker.thaw()
        chaos.resume(chaos.partitions, now_ms())


def compact(chaos: Chaos) -> None:
    """Changelogs are compacted all the time, their tombstones go, and then the disks are lost."""
    configure_changelogs(chaos, HARD)
    for _ in chaos.faults():
        chaos.pause(2.0)
        names, since = sorted(chaos.workers), now_ms()
        kill_and_wipe(chaos, names)
        configure_changelogs(chaos, HARD | FORGETFUL)
        chaos.pause(3.0)
        configure_changelogs(chaos, HARD)
        for name in names:
            chaos.start(name)
        chaos.resume(chaos.partitions, since)
    # What is being written isn't compacted yet: it takes some heads until most of them are.
    deadline = time.monotonic() + RESUME_SECONDS_MAX
    while (kept := _heads_kept(chaos)) >= chaos.heads.written / 4:
        assert time.monotonic() < deadline, f"{kept} of {chaos.heads.written} heads are still there"
        time.sleep(LOOK_SECONDS)


def configure_changelogs(chaos: Chaos, changes: dict[str, str]) -> None:
    """Give the changelogs the catalogue's settings, and these."""

    async def configure() -> None:
        async with read_broker(chaos.broker.url).admin() as admin:
            answers = await admin.alter_configs(
                [
                    ConfigResource(
                        ConfigResourceType.TOPIC,
                        changelog(chaos.job.group, topic),
                        configs=STATE | changes,
                    )
                    for topic in INPUTS
                ]
            )
            for code, message, *_ in [one for answer in answers for one in answer.resources]:
                assert code == 0, message

    run_apart(configure())


def _heads_kept(chaos: Chaos) -> int:
    """Return how many records of the changelogs are heads; without compaction all are there."""
    names = [changelog(chaos.job.group, topic) for topic in INPUTS]

    async def count() -> int:
        kept = 0
        async for _, records in stream(
            chaos.job.cluster, dict.fromkeys(names, chaos.job.partitions)
        ):
            kept += sum(record.key == HEAD for record in records)
        return kept

    return run_apart(count())
