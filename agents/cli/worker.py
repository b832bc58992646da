"""The commands `worker` and `demo`: they run the whole job, with its pages."""

import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from msgspec import structs

from agents.cli.options import (
    BROKER,
    CONFIG,
    EXIT_FAILED,
    GROUP,
    HOST,
    PORT,
    errors_as_sentences,
    say_reasons,
    settings_of,
)
from agents.worker.garbage import collect_seldom

if TYPE_CHECKING:
    from agents.worker.run import Worker


@click.command()
@click.option("--seconds", type=click.FloatRange(min=0, min_open=True), help="End after this time.")
@click.option(
    "--rate", type=click.FloatRange(1, 100_000), default=500, show_default=True, help="Events/s."
)
@click.option("--plants", type=click.IntRange(1, 99), default=2, show_default=True)
@click.option(
    "--lines", type=click.IntRange(1, 99), default=4, show_default=True, help="Per plant."
)
@click.option("--seed", type=int, default=1, show_default=True)
@HOST
@PORT
@CONFIG
@errors_as_sentences
def demo(
    seconds: float | None, rate: float, plants: int, lines: int, seed: int, host: str | None,
    port: int | None, config: Path | None,
) -> None:  # fmt: skip
    """Run a simulated factory through the whole job, with the desk to look at what became of it.

    The demo is one process with a temporary folder: it needs nothing, and leaves nothing behind.
    The desk's page is the first link, a worker's page the second; --port is the worker's.
    Ctrl-C ends the demo. The exit code is 0 if everything was processed and the totals add up
    exactly.

    In a container, 127.0.0.1 is the container's own address. To see the pages from outside, use
    `docker run --rm -p 127.0.0.1:8080-8081:8080-8081 lineside demo --host 0.0.0.0`, and open the
    printed link: it has a token, without which the pages show nothing.
    """
    settings = settings_of(config, host=host, port=port)
    collect_seldom()  # modules are objects that stay, too
    from agents.simulate.factory import Plan
    from agents.worker.demo import demo_start, run_demo

    plan = Plan(
        seed=seed,
        plants=plants,
        lines=lines,
        start=demo_start(),
        works_always=True,
        master_data=True,
    )
    if not run_demo(settings, plan, rate, seconds, sys.stdout):
        sys.exit(EXIT_FAILED)


@click.command()
@BROKER
@GROUP
@click.option("--instance", help="On Kafka, this worker's name in its group; or LINESIDE_INSTANCE.")
@click.option(
    "--data-dir",
    help="The folder of the log and the states, on Kafka of copies of the states; default: "
    "LINESIDE_DATA_DIR, or lineside-data.",
)
@HOST
@PORT
@CONFIG
@click.option(
    "--feed",
    type=click.Path(path_type=Path),
    help="Append the lines of a log to the embedded log, from where an earlier run stopped.",
)
@click.option("--until-drained", is_flag=True, help="End when all records have been processed.")
@click.option(
    "--desk", is_flag=True,
    help="On the embedded log, run the desk in this process, on LINESIDE_DESK_PORT, or 8081.",
)  # fmt: skip
@errors_as_sentences
def worker(
    broker: str | None, group: str | None, instance: str | None, data_dir: str | None,
    host: str | None, port: int | None, config: Path | None, feed: Path | None, until_drained: bool,
    desk: bool,
) -> None:  # fmt: skip
    """Run the processor: on the topics of a Kafka cluster, or on a log of its own.

    \b
    On Kafka:              lineside worker --broker kafka://localhost:9092
    On the embedded log:   lineside worker, or lineside worker --desk
    A log, and then end:   lineside worker --feed LOG.ndjson --until-drained

    Without a broker, the worker uses an embedded log in the data directory, for first runs and for
    tests. A restart goes on where the worker stopped, as on Kafka.

    \b
    Each setting is taken from the first of these that has it:
      an option, e.g. --port 8080
      the environment, e.g. LINESIDE_PORT=8080
      the TOML file of --config, or of LINESIDE_CONFIG, e.g. port = 8080
      its default
    docs/settings.md lists all settings, for instance logins, windows and other lengths of time.
    """
    from agents.settings.settings import SettingsError

    settings = settings_of(
        config, broker=broker, group=group, instance=instance, data_dir=data_dir, host=host,
        port=port,
    )  # fmt: skip
    if desk and settings.broker:
        raise SettingsError(
            f"--desk is for the embedded log, and broker is {settings.broker!r}: run `lineside "
            "desk` beside the workers"
        )
    if feed is not None:
        if settings.broker:
            raise SettingsError(
                f"--feed {feed} goes to the embedded log, and broker is {settings.broker!r}: use "
                "`lineside simulate --log` to produce a log to a broker, or leave broker out"
            )
        with feed.open("rb") as file:  # fails before anything starts if the file can't be read
            file.peek(1)
        settings = structs.replace(settings, tick_seconds=0)
    say = _say_in_log if settings.log_format == "json" else _say

    async def work(running: "Worker") -> None:
        on = f"broker {settings.broker}" if settings.broker else "the embedded log"
        at_desk = f" - the desk at {running.desk.url}" if running.desk is not None else ""
        say(f"lineside worker: {running.url} - on {on} - data in {settings.data_dir}{at_desk}")
        await running.unless_stopped(_process(running, feed, until_drained, say))

    collect_seldom()  # modules are objects that stay, too
    from agents.worker.run import run_worker

    run_worker(settings, "worker", work, desk=desk)


async def _process(
    running: "Worker", feed: Path | None, until_drained: bool, say: Callable[[str], Any]
) -> None:
    if feed is not None:
        await _feed(running, feed, until_drained, say)
    if until_drained:
        await running.drained(float("inf"))
    else:
        await running.stopping.wait()


async def _feed(
    running: "Worker", path: Path, until_drained: bool, say: Callable[[str], Any]
) -> None:
    """Feed a log, wait until it is processed, and print why records were refused."""
    from agents.worker.feed import feed_file
    from tables.reasons import Reasons, check_accepted

    reasons = Reasons()
    running.job.watchers.append(reasons.watch)
    fed = await feed_file(running, path)
    say(f"fed {fed:,} records of {path}")
    await running.drained(float("inf"))
    say_reasons(reasons, say)
    if until_drained:
        counts = [partition.counts for partition in running.job.partitions.values()]
        refused = sum(count.exception for count in counts)
        check_accepted(path, sum(count.accepted for count in counts), refused)


def _say(text: str) -> None:
    click.echo(text, err=True)


def _say_in_log(text: str) -> None:
    logging.getLogger("lineside.worker").info("%s", text)
