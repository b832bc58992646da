"""The command line: demo, worker, desk, simulate, replay, audit, topics, reference and so on."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import click

from agents.cli.desk import desk
from agents.cli.exceptions import exceptions
from agents.cli.export import export
from agents.cli.options import (
    BROKER,
    CONFIG,
    EXIT_FAILED,
    GROUP,
    Commands,
    errors_as_sentences,
    kafka_settings_of,
    say_reasons,
    settings_of,
    writing,
)
from agents.cli.policy import policy
from agents.cli.reference import reference
from agents.cli.resend import resend
from agents.cli.simulate import simulate
from agents.cli.summaries import summaries
from agents.cli.topics import topics
from agents.cli.worker import demo, worker
from agents.worker.garbage import ALLOCATIONS_OF_A_LOG, collect_seldom


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="lineside", prog_name="lineside")
def main() -> None:
    """Lineside stands between the shop floor and the ERP.

    MES and machine events come in; business-relevant transactions and summaries leave, once, and
    their totals add up exactly.

    \b
    See it work:            lineside demo
    What became of it:      lineside desk
    Ask "what if":          lineside replay LOG.ndjson --out DIR
    Make a log to try with: lineside simulate --seed 1 --events 100000 --out LOG.ndjson
    """


for command in (
    demo, worker, desk, exceptions, resend, summaries, export, simulate, topics, reference, policy,
):  # fmt: skip
    main.add_command(command)


@main.command()
@click.argument("log", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The folder to write.")
@click.option(
    "--partitions", type=click.IntRange(1, 1_024), default=1, show_default=True,
    help="Partitions of each input topic; the records of a line don't depend on it.",
)  # fmt: skip
@click.option("--close", is_flag=True, help="Close the windows that are open at the end.")
@CONFIG
@errors_as_sentences
def replay(log: Path, out: Path, partitions: int, close: bool, config: Path | None) -> None:
    """Run the whole job over a log, and write the records that would leave.

    LOG has an event or a record of `kcat -C -J` on each line; - reads the standard input. The
    output folder gets a file for each output topic, and report.json: counts, exceptions by code,
    conservation check.

    The command prints the ten most frequent reasons for refusals. The exit code is 1 if nothing was
    accepted, or if the totals don't add up.
    """
    from agents.replay.replay import replay as run_replay
    from agents.settings.settings import rules_of
    from tables.reasons import Reasons, check_accepted

    rules = rules_of(settings_of(config))
    collect_seldom(ALLOCATIONS_OF_A_LOG)
    reasons = Reasons()
    with _opened(log) as file, writing(out):
        size = os.fstat(file.fileno()).st_size if file.seekable() else 0
        with click.progressbar(length=size, label="replaying", file=sys.stderr) as bar:
            report = run_replay(file, out, rules, partitions, close, bar.update, reasons)
    counts = ", ".join(f"{count:,} {name}" for name, count in report.counts.items())
    error = report.conservation["error"]
    click.echo(f"{counts}; conservation error {error}; see {out / 'report.json'}", err=True)
    say_reasons(reasons)
    name = "the standard input" if str(log) == "-" else log
    check_accepted(name, report.counts["accepted"], reasons.count, report.passed_over)
    if error != "0":
        sys.exit(EXIT_FAILED)


@main.command()
@BROKER
@GROUP
@click.option(
    "--exactly-once", is_flag=True,
    help="A repeated record refutes the laws; default if the settings have exactly_once.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@CONFIG
@errors_as_sentences
def audit(
    broker: str | None, group: str | None, exactly_once: bool, as_json: bool, config: Path | None
) -> None:
    """Prove or refute the laws on the topics of a running or stopped system.

    The audit processes all input again, and compares the result with the outputs and the states.
    It needs the settings of the job, and writes nothing to the cluster.

    The exit code is 0: proven, 1: refuted, 2: wrong arguments or settings, 3: not provable.
    """
    settings = kafka_settings_of(config, broker, group)

    import asyncio

    import msgspec

    from agents.audit.audit import audit as run_audit
    from agents.audit.verdict import EXIT_CODES, text
    from agents.settings.cluster import cluster_of
    from agents.settings.settings import rules_of

    rules, cluster = rules_of(settings), cluster_of(settings)
    once = exactly_once or settings.guarantee == "exactly_once"
    collect_seldom(ALLOCATIONS_OF_A_LOG)
    with click.progressbar(length=0, label="auditing", file=sys.stderr) as bar:
        audited = asyncio.run(run_audit(cluster, settings.group, rules, once, bar))
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(audited)))
    else:
        for line in text(audited):
            click.echo(line)
    sys.exit(EXIT_CODES[audited.verdict])


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    if str(path) == "-":
        yield sys.stdin.buffer
        return
    with path.open("rb") as file:
        yield file
