"""The command `resend`: inputs of a span of time sent again, on a live system, each once."""

import getpass
import os
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from time import time
from typing import TYPE_CHECKING, Any, Final

import click

from agents.cli.options import BROKER, CONFIG, GROUP, errors_as_sentences, settings_of
from streams.contract.topics import INPUTS

if TYPE_CHECKING:
    from agents.desk.resending import Result
    from agents.settings.settings import Settings

WORDS: Final = {"accepted": "new", "duplicate": "duplicates"}


@click.command()
@click.option("--from", "begin", required=True, metavar="TIME", help="RFC 3339, or a date.")
@click.option("--to", "end", metavar="TIME", help="To before this time; without --write: now.")
@click.option("--plant", help="Only of this plant.")
@click.option("--line", help="Only of this line.")
@click.option("--order", help="Only of this order.")
@click.option("--topic", type=click.Choice(INPUTS), help="Only of this input.")
@click.option("--write", is_flag=True, help="Send them; without, it is said what would become.")
@click.option("--data-dir", help="Of a job on the embedded log; its worker mustn't run.")
@BROKER
@GROUP
@CONFIG
@errors_as_sentences
def resend(
    begin: str, end: str | None, plant: str | None, line: str | None, order: str | None,
    topic: str | None, write: bool, data_dir: str | None, broker: str | None, group: str | None,
    config: Path | None,
) -> None:  # fmt: skip
    """Send inputs again that came from one time to another, on a system that runs.

    \b
    lineside resend --from 2026-11-21T06:00:00Z --to 2026-11-21T14:00:00Z --plant DE01
    lineside resend --from 2026-11-21T06:00:00Z --to 2026-11-21T14:00:00Z --plant DE01 --write

    Without --write it is said what would become of them: new, duplicates, or refused, where the
    desk's books are; without books only what can't be read is found. What was accepted before
    changes nothing when it comes again.

    Each record is sent once: the same command again goes on where it was cut off, and sends nothing
    when all was sent. Times are those of the records, not of the events. A date is midnight in the
    plant's time zone, or in UTC.
    """
    import asyncio

    from streams.log.writing import Lost
    from streams.trouble import Trouble

    if write and end is None:
        raise click.UsageError(
            "--write needs --to, so that the same command goes on where it was cut off"
        )
    settings: Settings = settings_of(config, broker=broker, group=group, data_dir=data_dir)
    try:
        found = asyncio.run(
            _run(settings, _chosen(settings, begin, end, plant, line, order, topic), write=write)
        )
    except Lost as error:
        again = "the same command goes on where it was cut off" if write else "try it again"
        raise Trouble(f"{error}: {again}") from None
    for text in _told(found, write=write):
        click.echo(text)


def _chosen(
    settings: "Settings", begin: str, end: str | None, plant: str | None, line: str | None,
    order: str | None, topic: str | None,
) -> Any:  # fmt: skip
    from zoneinfo import ZoneInfo

    from streams.contract.reruns import Chosen
    from tables.books.asked import AskedError, period

    name = settings.time_zones.get(plant or "")
    start, stop = period(begin, end, None if name is None else ZoneInfo(name))
    if start is None:
        raise AskedError("from", "from is missing")
    now = round(time() * 1e6)
    topics = INPUTS if topic is None else (topic,)
    return Chosen(start, now if stop is None else stop, topics, plant, line, order)


async def _run(settings: "Settings", chosen: Any, *, write: bool) -> "Result":
    from agents.desk.resending import Resender

    log = await _log(settings)
    try:
        resender = Resender(log, chosen)
        if not write:
            return await resender.foresee(_judge(settings))
        who = getpass.getuser() if hasattr(os, "getuid") else "unknown"
        with click.progressbar(length=0, label="sending", file=sys.stderr) as bar:
            return await resender.send(who, round(time() * 1e6), bar.update)
    finally:
        await log.close()


async def _log(settings: "Settings") -> Any:
    """Return the inputs' log, on Kafka or the embedded one. Raises a `Trouble` if there is none."""
    from streams.trouble import Trouble

    if settings.broker:
        from agents.provision.topics import partitions_of
        from agents.settings.cluster import cluster_of
        from streams.contract.topics import AUDIT
        from streams.kafka.reruns import KafkaReruns

        cluster = cluster_of(settings)
        counts = await partitions_of(cluster)
        for name in (*INPUTS, AUDIT):
            if name not in counts:
                raise Trouble(f"topic {name} is missing: make it with `lineside topics create`")
        return KafkaReruns(cluster, settings.group, counts)
    from streams.embedded.log import EmbeddedLog
    from streams.embedded.reruns import LogReruns

    folder = Path(settings.data_dir) / "log"
    if not folder.is_dir():
        raise Trouble(
            f"there is no embedded log in {settings.data_dir}: run `lineside worker` once, or name "
            "a cluster with --broker"
        )
    return LogReruns(EmbeddedLog(folder))


def _judge(settings: "Settings") -> Any:
    """Return what judges records, by the desk's books if there are any."""
    from agents.desk.foreseeing import judge_by_books, judge_by_themselves

    if not settings.database and not (Path(settings.data_dir) / "desk.db").is_file():
        return judge_by_themselves
    return judge_by_books(settings)


def _told(found: "Result", *, write: bool) -> Sequence[str]:
    if write:
        before = f", after {found.before:,} by a run that was cut off" if found.before else ""
        if found.before and not found.count:
            return [f"nothing is left to send: {found.before:,} records were sent before"]
        return [f"{found.count:,} records were sent again{before}"]
    before = f" ({found.before:,} were sent before)" if found.before else ""
    lines = [f"{found.count:,} records would be sent again{before}"]
    lines += [f"  {n:,} {WORDS.get(name, name)}" for name, n in _sorted(found.became)]
    lines.append("nothing was sent: --write does it" if found.count else "nothing would be sent")
    return lines


def _sorted(became: Counter[str]) -> list[tuple[str, int]]:
    first = list(WORDS)
    return sorted(
        became.items(), key=lambda one: (first.index(one[0]) if one[0] in first else 9, one[0])
    )
