"""The command line: demo, worker, simulate, replay, audit, topics."""

import gc
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import click
from msgspec import structs

from agents.worker.cli_options import (
    BROKER,
    CONFIG,
    EXIT_FAILED,
    GROUP,
    PORT,
    kafka_settings_of,
    settings_of,
    told_in_sentences,
)
from agents.worker.cli_simulate import simulate
from agents.worker.cli_topics import topics


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="lineside", prog_name="lineside")
def main() -> None:
    """Lineside stands between the shop floor and the ERP.

    MES and machine events come in; business-relevant transactions and summaries leave, once, and
    their totals add up exactly.

    \b
    See it work:            lineside demo
    Ask "what if":          lineside replay LOG.ndjson --out DIR
    Make a log to try with: lineside simulate --seed 1 --events 100000 --out LOG.ndjson
    """


main.add_command(simulate)
main.add_command(topics)


@main.command()
@click.option("--seconds", type=click.FloatRange(min=0, min_open=True), help="End by itself.")
@click.option(
    "--rate", type=click.FloatRange(1, 100_000), default=500, show_default=True, help="Events/s."
)
@click.option("--plants", type=click.IntRange(1, 99), default=2, show_default=True)
@click.option(
    "--lines", type=click.IntRange(1, 99), default=4, show_default=True, help="Per plant."
)
@click.option("--seed", type=int, default=1, show_default=True)
@PORT
@CONFIG
@told_in_sentences
def demo(
    seconds: float | None, rate: float, plants: int, lines: int, seed: int, port: int | None,
    config: Path | None,
) -> None:  # fmt: skip
    """Run a simulated factory through the whole job, with a web page to watch it.

    Everything is in one process and in a temporary folder: nothing is needed, nothing stays.
    Ctrl-C ends it. The exit code is 0 if everything was processed and the totals add up exactly.
    """
    from agents.worker.demo import demo_start, run_demo
    from streams.factory import Plan

    plan = Plan(seed=seed, plants=plants, lines=lines, start=demo_start())
    if not run_demo(settings_of(config, port), plan, rate, seconds, sys.stdout):
        sys.exit(EXIT_FAILED)


@main.command()
@PORT
@CONFIG
@click.option(
    "--feed",
    type=click.Path(path_type=Path),
    help="Append the lines of a log to the embedded log, going on where an earlier run stopped.",
)
@click.option("--until-drained", is_flag=True, help="End when everything fed has been processed.")
@told_in_sentences
def worker(port: int | None, config: Path | None, feed: Path | None, until_drained: bool) -> None:
    """Run the processor alone, on the embedded log in the data directory.

    \b
    Settings come from LINESIDE_* in the environment and from a TOML file, e.g.
      LINESIDE_DATA_DIR=/var/lib/lineside   log and state; a restart goes on from there
      LINESIDE_PORT=8080                    the web page, on LINESIDE_HOST (127.0.0.1)
      LINESIDE_SUMMARY_WINDOW_SECONDS=60    and the other lengths of time: docs/settings.md
    """
    from agents.worker.feed import feed_file
    from agents.worker.run import Worker, run_worker

    settings = settings_of(config, port)
    if feed is not None:
        with feed.open("rb"):  # before anything starts: is it there?
            settings = structs.replace(settings, tick_seconds=0)

    async def work(running: Worker) -> None:
        begun = f"lineside worker: {running.url} - data in {settings.data_dir}"
        if settings.log_format == "json":
            logging.getLogger("lineside.worker").info("%s", begun)
        else:
            click.echo(begun, err=True)
        await running.unless_stopped(process(running))

    async def process(running: Worker) -> None:
        if feed is not None:
            fed = await feed_file(running, feed)
            click.echo(f"fed {fed:,} records of {feed}", err=True)
        if until_drained:
            await running.drained(float("inf"))
        else:
            await running.stopping.wait()

    run_worker(settings, "worker", work)


@main.command()
@click.argument("log", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The folder to write.")
@click.option(
    "--partitions", type=click.IntRange(1, 1_024), default=1, show_default=True,
    help="Of each input topic; changes nothing per line.",
)  # fmt: skip
@click.option("--close", is_flag=True, help="Close the windows that are open at the end.")
@CONFIG
@told_in_sentences
def replay(log: Path, out: Path, partitions: int, close: bool, config: Path | None) -> None:
    """Run the whole job over a log: what would leave, had this log come in?

    LOG has an event or a record of `kcat -C -J` on each line; - reads the standard input. DIR gets
    a file for each output topic, and report.json: counts, exceptions by code, conservation check.
    """
    from agents.worker.replay import replay as run_replay
    from agents.worker.settings import rules_of

    rules = rules_of(settings_of(config))
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 50, 50)
    with _opened(log) as file:
        size = os.fstat(file.fileno()).st_size if file.seekable() else 0
        with click.progressbar(length=size, label="replaying", file=sys.stderr) as bar:
            told = run_replay(file, out, rules, partitions, close, bar.update)
    counts = ", ".join(f"{count:,} {name}" for name, count in told.counts.items())
    error = told.conservation["error"]
    click.echo(f"{counts}; conservation error {error}; see {out / 'report.json'}", err=True)
    if error != "0":
        sys.exit(EXIT_FAILED)


@main.command()
@BROKER
@GROUP
@click.option(
    "--exactly-once", is_flag=True,
    help="A repeated record refutes the laws; so it does where the settings say exactly_once.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@CONFIG
@told_in_sentences
def audit(
    broker: str | None, group: str | None, exactly_once: bool, as_json: bool, config: Path | None
) -> None:
    """Prove or refute the laws on the topics of a running or stopped system.

    It processes all input anew and holds what left, and what the states have counted, against
    that. It needs the settings of the job, and writes nothing to the cluster.

    The exit code is 0: proven, 1: refuted, 2: wrong arguments or settings, 3: not provable.
    """
    import asyncio

    import msgspec

    from agents.worker.audit import audit as run_audit
    from agents.worker.security import cluster_of
    from agents.worker.settings import rules_of
    from agents.worker.verdict import EXIT_CODES, text

    settings = kafka_settings_of(config, broker, group)
    rules, cluster = rules_of(settings), cluster_of(settings)
    once = exactly_once or settings.guarantee == "exactly_once"
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 50, 50)
    with click.progressbar(length=0, label="auditing", file=sys.stderr) as bar:
        told = asyncio.run(run_audit(cluster, settings.group, rules, once, bar))
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(told)))
    else:
        for line in text(told):
            click.echo(line)
    sys.exit(EXIT_CODES[told.verdict])


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    if str(path) == "-":
        yield sys.stdin.buffer
        return
    with path.open("rb") as file:
        yield file
