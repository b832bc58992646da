"""The command line: demo, worker, simulate, replay, audit, topics."""

import gc
import logging
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any, BinaryIO, Final

import click
from msgspec import structs

from streams.trouble import Trouble

CONFIG = click.option(
    "--config",
    type=click.Path(path_type=Path),
    help="A TOML file with settings; LINESIDE_* in the environment goes before it.",
)
PORT = click.option(
    "--port", type=click.IntRange(0, 65_535), help="Of the web page; 0: a free one."
)
BROKER = click.option(
    "--broker", metavar="URL", help="kafka://host:port[,host:port...], or LINESIDE_BROKER."
)
GROUP = click.option("--group", help="Of the workers: LINESIDE_GROUP, or lineside.")

EXIT_FAILED: Final = 1
"""The work couldn't be done."""


class _Failure(click.ClickException):
    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.exit_code = code


@contextmanager
def _sentences() -> Iterator[None]:
    """Turn what can go wrong outside of lineside into a sentence and an exit code."""
    try:
        yield
    except Trouble as trouble:
        raise _Failure(str(trouble), trouble.exit_code) from None
    except BrokenPipeError:
        # Whoever read our output has had enough: nothing to tell, nobody to tell it to.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(EXIT_FAILED)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        raise _Failure(f"{where}{error.strerror or error}", EXIT_FAILED) from None


def _told_in_sentences(command: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        with _sentences():
            return command(*args, **kwargs)

    return wrapped


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
@_told_in_sentences
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
    if not run_demo(_settings(config, port), plan, rate, seconds, sys.stdout):
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
@_told_in_sentences
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

    settings = _settings(config, port)
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
@click.option("--out", type=click.Path(path_type=Path), help="A file, or - for the terminal.")
@BROKER
@click.option(
    "--log", type=click.Path(path_type=Path), help="To a broker: this log instead of a factory's."
)
@click.option("--events", type=click.IntRange(min=0), help="How many, ticks aside.")
@click.option("--seconds", type=click.FloatRange(min=0, min_open=True), help="To a broker.")
@click.option(
    "--rate", type=click.FloatRange(1, 100_000),
    help="Events/s to a broker: about 500; a log goes as fast as it can.",
)  # fmt: skip
@click.option("--seed", type=int, default=1, show_default=True, help="Same seed, same bytes.")
@click.option("--plants", type=click.IntRange(1, 99), help="8, or what --rate asks for.")
@click.option("--lines", type=click.IntRange(1, 99), help="Per plant: 8, or what --rate asks for.")
@click.option(
    "--tick-seconds", type=click.IntRange(min=0),
    help="Factory time between clock ticks: 10; to a broker 0, none, since a worker writes them.",
)  # fmt: skip
@click.option("--clean", is_flag=True, help="Without the mess: no duplicate, late or broken event.")
@click.option(
    "--mess", "rates", multiple=True, metavar="NAME=VALUE",
    help="One of the mess's rates, e.g. late=0.2, duplicates=0 (see docs/simulator.md).",
)  # fmt: skip
@_told_in_sentences
def simulate(
    out: Path | None, broker: str | None, log: Path | None, events: int | None,
    seconds: float | None, rate: float | None, seed: int, plants: int | None, lines: int | None,
    tick_seconds: int | None, clean: bool, rates: tuple[str, ...],
) -> None:  # fmt: skip
    """Write the log of a believable factory to a file, or produce to Kafka as an MES would.

    Orders with routings and components, shifts, scrap, breakdowns, telemetry; and the real world's
    mess: duplicates, late and out-of-order events, replayed blocks, conflicts, broken ones, a line
    that goes silent, one whose backlog arrives an hour late.

    \b
    A file, an event a line:  lineside simulate --events 100000 --out LOG.ndjson
    To Kafka, as it happens:  lineside simulate --broker kafka://localhost:9092 --rate 500
    A log to Kafka:           lineside simulate --broker kafka://localhost:9092 --log LOG.ndjson

    A factory at a broker works around the clock, until --events, --seconds or Ctrl-C ends it.
    """
    from agents.worker.simulate import mess_of, plan_of_now
    from streams.factory import Plan

    to_broker = {"--broker": broker, "--log": log, "--seconds": seconds, "--rate": rate}
    of_factory = {
        "--events": events, "--seconds": seconds, "--plants": plants, "--lines": lines,
        "--tick-seconds": tick_seconds, "--clean": clean or None, "--mess": rates or None,
    }  # fmt: skip
    if out is None and not (broker or os.environ.get("LINESIDE_BROKER")):
        raise click.UsageError("give --out FILE, or --broker kafka://host:port")
    if out is not None:
        _refuse("--out", to_broker)
        if events is None:
            raise click.UsageError("give --events: how many are to be in the file")
        plan = Plan(
            seed=seed, plants=plants or 8, lines=lines or 8,
            tick_seconds=10 if tick_seconds is None else tick_seconds, mess=mess_of(rates, clean),
        )  # fmt: skip
        _write_log(plan, events, out)
    elif log is not None:
        _refuse("--log", of_factory)
        _produce_log(broker, log, rate)
    else:
        rate = 500 if (rate, plants, lines) == (None, None, None) else rate
        mess = mess_of(rates, clean)
        plan = plan_of_now(seed, rate, plants, lines, tick_seconds or 0, mess)
        _produce_factory(broker, plan, rate, seconds, events)


def _refuse(option: str, others: dict[str, Any]) -> None:
    for name, value in others.items():
        if value is not None:
            raise click.UsageError(f"{name} doesn't go together with {option}")


def _write_log(plan: Any, events: int, out: Path) -> None:
    from agents.worker.simulate import write_log

    if str(out) == "-":
        write_log(plan, events, sys.stdout.buffer)
        return
    with click.progressbar(length=events, label="simulating", file=sys.stderr) as bar:
        write_log(plan, events, out, bar.update)


def _produce_log(broker: str | None, path: Path, rate: float | None) -> None:
    from agents.worker.produce import log

    with path.open("rb"):  # before anything is asked of the broker: is it there?
        _produce(broker, log(path, rate), f"{path}{f', {rate:g} lines/s' if rate else ''}")


def _produce_factory(
    broker: str | None, plan: Any, rate: float | None, seconds: float | None, events: int | None
) -> None:
    from agents.worker.produce import factory
    from agents.worker.simulate import rate_of

    rate = rate or rate_of(plan)
    what = f"{plan.plants} x {plan.lines} lines, about {rate:,.0f} events/s"
    _produce(broker, factory(plan, rate, seconds, events), what)


def _produce(broker: str | None, work: Any, what: str) -> None:
    import asyncio

    from agents.worker.security import cluster_of
    from agents.worker.sink import produce

    settings = _kafka_settings(None, broker, None)
    click.echo(f"lineside simulate: {what} - to {settings.broker}", err=True)
    sent = asyncio.run(produce(cluster_of(settings), work))
    ticks = f" and {sent.ticks:,} ticks" if sent.ticks else ""
    click.echo(f"sent {sent.events:,} events{ticks} in {sent.seconds:.1f} s", err=True)


@main.command()
@click.argument("log", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The folder to write.")
@click.option(
    "--partitions", type=click.IntRange(1, 1_024), default=1, show_default=True,
    help="Of each input topic; changes nothing per line.",
)  # fmt: skip
@click.option("--close", is_flag=True, help="Close the windows that are open at the end.")
@CONFIG
@_told_in_sentences
def replay(log: Path, out: Path, partitions: int, close: bool, config: Path | None) -> None:
    """Run the whole job over a log: what would leave, had this log come in?

    LOG has an event or a record of `kcat -C -J` on each line; - reads the standard input. DIR gets
    a file for each output topic, and report.json: counts, exceptions by code, conservation check.
    """
    from agents.worker.replay import replay as run_replay
    from agents.worker.settings import rules_of

    rules = rules_of(_settings(config, None))
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
@_told_in_sentences
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

    settings = _kafka_settings(config, broker, group)
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


@main.group()
def topics() -> None:
    """Make the topics of a Kafka cluster, look whether they fit, or copy one."""


@topics.command("create")
@BROKER
@GROUP
@click.option(
    "--partitions", type=click.IntRange(1, 1_024),
    help="Of inputs, changelogs and outputs; 8, or as many as an input has already.",
)  # fmt: skip
@click.option(
    "--replication", type=click.IntRange(1, 99),
    help="Replicas of each new topic; one for each broker, 3 at most.",
)  # fmt: skip
@CONFIG
@_told_in_sentences
def create_topics(
    broker: str | None, group: str | None, partitions: int | None, replication: int | None,
    config: Path | None,
) -> None:  # fmt: skip
    """Make the topics that are missing, with the settings that they need.

    A topic that is there is left as it is. If one doesn't fit, nothing is made, and it says what to
    change. The exit code is 0 if all topics are there and fit.
    """
    import asyncio

    from agents.worker.security import cluster_of
    from agents.worker.topics import create, lines_of_creation

    settings = _kafka_settings(config, broker, group)
    cluster = cluster_of(settings)
    outcome = asyncio.run(create(cluster, settings.group, partitions, replication, settings))
    _tell(lines_of_creation(outcome), outcome.problems)


@topics.command("check")
@BROKER
@GROUP
@CONFIG
@_told_in_sentences
def check_topics(broker: str | None, group: str | None, config: Path | None) -> None:
    """Say whether all topics are there and fit, and what to change where one doesn't.

    A worker looks at the same before it starts, and refuses to on an error. The exit code is 0 if
    there is none; warnings don't count.
    """
    import asyncio

    from agents.worker.security import cluster_of
    from agents.worker.topics import problems

    settings = _kafka_settings(config, broker, group)
    found = asyncio.run(problems(cluster_of(settings), settings.group, settings))
    _tell([], found)


@topics.command("copy")
@click.argument("source")
@click.argument("target")
@click.option("--processed", is_flag=True, help="Only what the group has processed.")
@click.option("--unprocessed", is_flag=True, help="Only the rest of it, without ticks.")
@click.option("--append", is_flag=True, help="To a TARGET that isn't empty.")
@BROKER
@GROUP
@CONFIG
@_told_in_sentences
def copy_topic(
    source: str, target: str, processed: bool, unprocessed: bool, append: bool,
    broker: str | None, group: str | None, config: Path | None,
) -> None:  # fmt: skip
    """Copy an input topic into one with another number of partitions: see docs/topics.md.

    Keys, values, headers, timestamps and the order on each line stay as they are. A TARGET that
    isn't there is made, with as many partitions as SOURCE. Nobody may write to SOURCE.
    """
    import asyncio

    from agents.worker.copy_topic import Part
    from agents.worker.copy_topic import copy_topic as run_copy
    from agents.worker.security import cluster_of

    if processed and unprocessed:
        raise click.UsageError("--processed and --unprocessed together are all: leave both out")
    settings = _kafka_settings(config, broker, group)
    part = Part(settings.group, processed) if processed or unprocessed else None
    with click.progressbar(length=0, label="copying", file=sys.stderr) as bar:
        copied = asyncio.run(run_copy(cluster_of(settings), source, target, bar, part, append))
    click.echo(f"{copied.read:,} records of {source}, {copied.written:,} in {target}")


@topics.command("acls")
@click.argument("roles", nargs=-1, metavar="[ROLE]...")
@click.option(
    "--principal", "principals", multiple=True, metavar="ROLE=NAME",
    help="Kafka's name of who has a role, e.g. mes=User:mes-de01; more than once for several.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Rights by role, as Strimzi's KafkaUser.")
@BROKER
@GROUP
@CONFIG
@_told_in_sentences
def acls_of_topics(
    roles: tuple[str, ...], principals: tuple[str, ...], as_json: bool, broker: str | None,
    group: str | None, config: Path | None,
) -> None:  # fmt: skip
    """Print the rights that each role needs, as commands of kafka-acls.sh.

    Without ROLE all: worker, mes, machines, erp, analyst, clerk, auditor, operator. Nothing is
    asked of a broker, and nothing changed. A role without --principal is User:ROLE.
    """
    import msgspec

    from agents.worker.settings import read_settings
    from streams.acls import ROLES, commands, rights_of
    from streams.address import read_servers

    named = [each.partition("=")[::2] for each in principals]
    for role in (*roles, *(role for role, _ in named)):
        if role not in ROLES:
            raise click.UsageError(f"{role!r} isn't a role: {', '.join(ROLES)}")
    if not all(name for _, name in named):
        raise click.UsageError("--principal is ROLE=NAME, e.g. mes=User:mes-de01")
    settings = read_settings({**os.environ, **_options(broker, group)}, config)
    rights = {role: rights_of(role, settings.group) for role in ROLES if not roles or role in roles}
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(rights)))
        return
    servers = ",".join(read_servers(settings.broker)) if settings.broker else "broker:9092"
    for role, needed in rights.items():
        click.echo(f"# {role}: {ROLES[role]}")
        for principal in [name for one, name in named if one == role] or [f"User:{role}"]:
            for line in commands(principal, needed, servers):
                click.echo(line)


def _tell(lines: list[str], problems: list[Any]) -> None:
    for line in lines:
        click.echo(line)
    for problem in problems:
        click.echo(f"{problem.severity}: {problem.text}")
    if any(problem.severity == "error" for problem in problems):
        sys.exit(EXIT_FAILED)
    click.echo("all topics are there and can be used")


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    if str(path) == "-":
        yield sys.stdin.buffer
        return
    with path.open("rb") as file:
        yield file


def _settings(config: Path | None, port: int | None) -> Any:
    from agents.worker.settings import read_settings

    settings = read_settings(os.environ, config)
    return settings if port is None else structs.replace(settings, port=port)


def _kafka_settings(config: Path | None, broker: str | None, group: str | None) -> Any:
    """Return the settings with these options in them, refused where they name no broker."""
    from agents.worker.settings import SettingsError, read_settings

    settings = read_settings({**os.environ, **_options(broker, group)}, config)
    if not settings.broker:
        raise SettingsError("broker is empty: give --broker kafka://host:9092 or LINESIDE_BROKER")
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # a sentence of ours says it
    return settings


def _options(broker: str | None, group: str | None) -> dict[str, str]:
    given = {"LINESIDE_BROKER": broker, "LINESIDE_GROUP": group}
    return {name: value for name, value in given.items() if value is not None}
