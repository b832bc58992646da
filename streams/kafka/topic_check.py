"""Differences between a cluster's topics and the catalogue, and how to mend them."""

from collections.abc import Iterator, Mapping
from typing import Final, Literal

from msgspec import Struct

from streams.contract.topics import (
    CHANGELOG_BATCH_BYTES_MIN,
    EXCEPTION_BYTES_PER_BYTE,
    EXCEPTION_ENVELOPE_BYTES,
    EXCEPTIONS,
    INPUT_BATCH_BYTES,
    INPUT_BATCH_BYTES_MIN,
    INPUT_SPARE_MS,
    INPUTS,
    OUTPUT_BATCH_BYTES_MIN,
    OUTPUT_RETENTION_MS,
    OUTPUT_RETENTION_MS_MIN,
    TOMBSTONE_MS,
    TOMBSTONE_MS_MIN,
    Topic,
    changelog,
    topics_of,
)
from streams.kafka.topic_words import counted, shown, span

BROKERS_TO_SPARE: Final = 3
"""With this many brokers a topic survives the loss of one and can still be written."""

WAY_OUT: Final = "docs/topics.md#more-partitions"

SAY_AGAIN: Final = "make it anew with one, and send what was in it again"
ACTS_ANEW: Final = "make it anew with one; what people did is in the desk's books"
CLOCK_ANEW: Final = "stop the workers, delete it, and let `lineside topics create` make it anew"

UNLIMITED: Final = -1
"""Kafka's word for a retention without end."""


class Problem(Struct, frozen=True):
    """A worker refuses to start on an error, and logs a warning; `text` says what to change."""

    severity: Literal["error", "warning"]
    text: str


class Found(Struct, frozen=True, kw_only=True):
    """A topic of a cluster; `replication` is the lowest of its partitions."""

    partitions: int
    replication: int
    config: Mapping[str, str]


def missing(group: str, found: Mapping[str, Found]) -> list[Topic]:
    """Return the topics that a group's job or desk needs and the cluster doesn't have."""
    return [topic for topic in topics_of(group) if topic.name not in found]


def problems_of(
    group: str,
    found: Mapping[str, Found],
    brokers: int,
    ledger_seconds: Mapping[str, int],
    server: str,
) -> list[Problem]:
    """Return the problems of the existing topics, in the catalogue's order.

    `brokers` is the number of brokers, `ledger_seconds` how far the ledger of each input topic
    reaches back, `server` an address for the commands that mend a topic.
    """
    problems: list[Problem] = []
    for topic in topics_of(group):
        there = found.get(topic.name)
        if there is None:
            continue
        seen = _Seen(topic.name, there, server)
        problems += _durability(seen, brokers)
        if topic.direction == "in":
            problems += _input(seen, ledger_seconds[topic.name])
        elif topic.direction == "out":
            problems += _output(seen)
        elif topic.direction in ("master", "reference"):
            problems += _single(seen, SAY_AGAIN)
            problems += _output(seen) if topic.direction == "master" else _reference(seen)
        elif topic.direction == "audit":
            problems += [*_single(seen, ACTS_ANEW), *_output(seen)]
        elif topic.direction == "changelog":
            problems += _changelog(seen)
        else:
            problems += _clock(seen)
    problems += _counts(group, found)
    problems += _room_for_exceptions(found, server)
    return problems


class _Seen(Struct, frozen=True):
    """A topic that is checked, and the problems found with it."""

    name: str
    found: Found
    server: str

    def number(self, setting: str) -> int | None:
        """Return a setting, None if the cluster doesn't report it."""
        text = self.found.config.get(setting)
        return None if text is None else int(text)

    def below(self, setting: str, least: int) -> bool:
        number = self.number(setting)
        return number is not None and number < least

    def says(self, setting: str, about: str, wanted: object) -> str:
        value = self.found.config.get(setting)
        return (
            f"topic {self.name} has {setting} {shown(setting, value)}: {about}; "
            f"{command_to_set(self.server, self.name, setting, wanted)}"
        )

    def error(self, setting: str, about: str, wanted: object) -> Problem:
        return Problem("error", self.says(setting, about, wanted))

    def warning(self, setting: str, about: str, wanted: object) -> Problem:
        return Problem("warning", self.says(setting, about, wanted))


def _durability(seen: _Seen, brokers: int) -> Iterator[Problem]:
    replicas, required = seen.found.replication, seen.number("min.insync.replicas") or 1
    if required > replicas:
        about = f"nothing can be written to a topic with {counted(replicas, 'replica')}"
        yield seen.error("min.insync.replicas", about, replicas)
    elif brokers >= BROKERS_TO_SPARE and replicas < BROKERS_TO_SPARE:
        yield Problem(
            "warning",
            f"topic {seen.name} has {counted(replicas, 'replica')} on a cluster of {brokers} "
            "brokers: it can't be written while one is away, or is lost with it; reassign it to "
            "3 replicas with kafka-reassign-partitions.sh",
        )
    elif brokers >= BROKERS_TO_SPARE and required < 2:
        about = "what is acknowledged can be on one broker only, and be lost with it"
        yield seen.warning("min.insync.replicas", about, 2)
    if seen.found.config.get("unclean.leader.election.enable") == "true":
        about = "a replica that lacks acknowledged records can become the leader"
        yield seen.warning("unclean.leader.election.enable", about, "false")


def _input(seen: _Seen, ledger_seconds: int) -> Iterator[Problem]:
    if "compact" in _policies(seen):
        about = "compaction keeps the last event of a line and loses all others"
        yield seen.error("cleanup.policy", about, "delete")
    if seen.below("max.message.bytes", INPUT_BATCH_BYTES_MIN):
        about = "an event of 64 KiB with its headers can't get in"
        yield seen.warning("max.message.bytes", about, INPUT_BATCH_BYTES)
    retention, reach = seen.number("retention.ms"), ledger_seconds * 1000
    if retention is not None and UNLIMITED < retention < reach:
        about = f"the ledger reaches back {span(reach)}, and can't be made anew from less"
        yield seen.warning("retention.ms", about, reach + INPUT_SPARE_MS)
    if (seen.number("retention.bytes") or UNLIMITED) != UNLIMITED:
        about = "events go by size, however young, and whether they were processed or not"
        yield seen.warning("retention.bytes", about, UNLIMITED)


def _output(seen: _Seen) -> Iterator[Problem]:
    if "compact" in _policies(seen):
        about = "compaction keeps the last record of a line and loses all others"
        yield seen.error("cleanup.policy", about, "delete")
    if seen.below("max.message.bytes", OUTPUT_BATCH_BYTES_MIN):
        about = "the broker would refuse a batch of lineside's"
        yield seen.error("max.message.bytes", about, INPUT_BATCH_BYTES)
    retention = seen.number("retention.ms")
    if retention is not None and UNLIMITED < retention < OUTPUT_RETENTION_MS_MIN:
        about = "a consumer that is down for longer misses records"
        yield seen.warning("retention.ms", about, OUTPUT_RETENTION_MS)


def _changelog(seen: _Seen) -> Iterator[Problem]:
    if _policies(seen) != {"compact"}:
        about = "state that isn't written again for long would be deleted"
        yield seen.error("cleanup.policy", about, "compact")
    for setting in ("max.message.bytes", "segment.bytes"):
        if seen.below(setting, CHANGELOG_BATCH_BYTES_MIN):
            about = "the changes of one step are one batch, which can be larger"
            yield seen.error(setting, about, CHANGELOG_BATCH_BYTES_MIN)
    if seen.below("delete.retention.ms", TOMBSTONE_MS_MIN):
        about = "a restore that takes longer could miss that a key is gone, and bring it back"
        yield seen.error("delete.retention.ms", about, TOMBSTONE_MS)


def _single(seen: _Seen, what: str) -> Iterator[Problem]:
    count = counted(seen.found.partitions, "partition")
    if seen.found.partitions != 1:
        yield Problem("error", f"topic {seen.name} has {count}, and must have 1: {what}")


def _reference(seen: _Seen) -> Iterator[Problem]:
    if _policies(seen) != {"compact"}:
        about = "master data that doesn't change would be forgotten"
        yield seen.error("cleanup.policy", about, "compact")


def _clock(seen: _Seen) -> Iterator[Problem]:
    yield from _single(seen, CLOCK_ANEW)
    if _policies(seen) != {"compact"}:
        about = "the last tick would be forgotten while no worker runs"
        yield seen.warning("cleanup.policy", about, "compact")
    if seen.found.config.get("message.timestamp.type") == "CreateTime":
        about = "a worker whose clock is wrong doesn't notice, and writes ticks all the same"
        yield seen.warning("message.timestamp.type", about, "LogAppendTime")


def _counts(group: str, found: Mapping[str, Found]) -> Iterator[Problem]:
    mes, machine = (found.get(topic) for topic in INPUTS)
    if mes and machine and mes.partitions != machine.partitions:
        more, fewer = sorted(INPUTS, key=lambda topic: -found[topic].partitions)
        yield Problem(
            "error",
            f"topics {more} and {fewer} have {found[more].partitions} and "
            f"{counted(found[fewer].partitions, 'partition')}: they must have the same number, "
            f"since a worker takes the same partitions of both; as long as nothing is in {fewer}, "
            f"delete it and let `lineside topics create` make it anew, else see {WAY_OUT}",
        )
    for topic in INPUTS:
        log, of = changelog(group, topic), found.get(topic)
        its = found.get(log)
        if of is None or its is None or of.partitions == its.partitions:
            continue
        yield Problem(
            "error",
            f"topic {topic} has {counted(of.partitions, 'partition')}, and its changelog {log} has "
            f"{its.partitions}: the partition count of a running system can't be changed in place, "
            "since lines would move away from their ledgers and open windows; "
            f"{WAY_OUT} says how to get there",
        )


def exception_bytes_max(input_bytes: int) -> int:
    """Return how large the exception of a record can be that came in a batch of `input_bytes`.

    This is true for uncompressed batches; a compressed batch can hold larger records.
    """
    return EXCEPTION_BYTES_PER_BYTE * input_bytes + EXCEPTION_ENVELOPE_BYTES


def _room_for_exceptions(found: Mapping[str, Found], server: str) -> Iterator[Problem]:
    """Check that brokers take the largest exceptions: a refused one would stop its partition.

    It is an error if a value that is just too large would be refused, and a warning if only a
    record made of nothing but headers would be.
    """
    there = found.get(EXCEPTIONS)
    room = None if there is None else _Seen(EXCEPTIONS, there, server).number("max.message.bytes")
    for topic in INPUTS:
        if room is None or topic not in found:
            continue
        largest = _Seen(topic, found[topic], server).number("max.message.bytes") or 0
        if room >= exception_bytes_max(largest):
            continue
        mild = room >= largest * 4 // 3 + EXCEPTION_ENVELOPE_BYTES
        worst = "a record of many small headers" if mild else "a value that is too large"
        commands = []
        if room < CHANGELOG_BATCH_BYTES_MIN:
            commands.append(
                command_to_set(server, EXCEPTIONS, "max.message.bytes", CHANGELOG_BATCH_BYTES_MIN)
            )
        if exception_bytes_max(largest) > CHANGELOG_BATCH_BYTES_MIN:
            commands.append(command_to_set(server, topic, "max.message.bytes", INPUT_BATCH_BYTES))
        yield Problem(
            "warning" if mild else "error",
            f"topic {EXCEPTIONS} has max.message.bytes {room}, and {topic} has {largest}: the "
            f"exception for {worst} wouldn't fit, and would stop its partition; "
            + ", and ".join(commands),
        )


def command_to_set(server: str, topic: str, setting: str, value: object) -> str:
    """Return the command that gives a topic a setting, as the end of a sentence."""
    return (
        f"set {setting} to {value} with `kafka-configs.sh --bootstrap-server {server} --alter "
        f"--topic {topic} --add-config {setting}={value}`"
    )


def _policies(seen: _Seen) -> set[str]:
    text = seen.found.config.get("cleanup.policy", "")
    return {word.strip() for word in text.split(",") if word.strip()}
