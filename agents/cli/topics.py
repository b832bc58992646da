"""The command `topics`: creates, checks and copies topics, and prints the rights of each role."""

import sys
from pathlib import Path
from typing import Any

import click

from agents.cli.options import (
    BROKER,
    CONFIG,
    EXIT_FAILED,
    GROUP,
    errors_as_sentences,
    kafka_settings_of,
    settings_of,
)


@click.group()
def topics() -> None:
    """Create, check or copy the topics of a Kafka cluster, or print the rights of each role."""


@topics.command("create")
@BROKER
@GROUP
@click.option(
    "--partitions", type=click.IntRange(1, 1_024),
    help="Of inputs, changelogs and outputs; default: as an existing input, or 8.",
)  # fmt: skip
@click.option(
    "--replication", type=click.IntRange(1, 99),
    help="Replicas of each new topic; default: one per broker, 3 at most.",
)  # fmt: skip
@CONFIG
@errors_as_sentences
def create_topics(
    broker: str | None, group: str | None, partitions: int | None, replication: int | None,
    config: Path | None,
) -> None:  # fmt: skip
    """Make the missing topics, with the settings that they need.

    Existing topics aren't changed. If one of them doesn't fit, nothing is made, and the command
    says what to change. The exit code is 0 if all topics are there and fit.
    """
    settings = kafka_settings_of(config, broker, group)

    import asyncio

    from agents.provision.topics import create, lines_of_creation
    from agents.settings.cluster import cluster_of

    cluster = cluster_of(settings)
    outcome = asyncio.run(create(cluster, settings.group, partitions, replication, settings))
    _print_outcome(lines_of_creation(outcome), outcome.problems)


@topics.command("check")
@BROKER
@GROUP
@CONFIG
@errors_as_sentences
def check_topics(broker: str | None, group: str | None, config: Path | None) -> None:
    """Check whether all topics are there and fit, and say what to change.

    A worker does the same check, and doesn't start after an error. The exit code is 0 if there are
    no errors; warnings don't count.
    """
    settings = kafka_settings_of(config, broker, group)

    import asyncio

    from agents.provision.topics import problems
    from agents.settings.cluster import cluster_of

    found = asyncio.run(problems(cluster_of(settings), settings.group, settings))
    _print_outcome([], found)


@topics.command("copy")
@click.argument("source")
@click.argument("target")
@click.option("--processed", is_flag=True, help="Only the records that the group has processed.")
@click.option(
    "--unprocessed", is_flag=True, help="Only the records that it hasn't processed, without ticks."
)
@click.option("--append", is_flag=True, help="Copy to a TARGET that isn't empty.")
@BROKER
@GROUP
@CONFIG
@errors_as_sentences
def copy_topic(
    source: str, target: str, processed: bool, unprocessed: bool, append: bool,
    broker: str | None, group: str | None, config: Path | None,
) -> None:  # fmt: skip
    """Copy an input topic to one with another number of partitions: see docs/topics.md.

    Keys, values, headers, timestamps and the order on each line don't change. A missing TARGET is
    made, with as many partitions as SOURCE. Nobody may write to SOURCE meanwhile.
    """
    if processed and unprocessed:
        raise click.UsageError("--processed and --unprocessed together are all: leave both out")
    settings = kafka_settings_of(config, broker, group)

    import asyncio

    from agents.provision.copy_topic import Part
    from agents.provision.copy_topic import copy_topic as run_copy
    from agents.settings.cluster import cluster_of

    part = Part(settings.group, processed) if processed or unprocessed else None
    with click.progressbar(length=0, label="copying", file=sys.stderr) as bar:
        copied = asyncio.run(run_copy(cluster_of(settings), source, target, bar, part, append))
    click.echo(f"{copied.read:,} records of {source}, {copied.written:,} in {target}")


@topics.command("acls")
@click.argument("roles", nargs=-1, metavar="[ROLE]...")
@click.option(
    "--principal", "principals", multiple=True, metavar="ROLE=NAME",
    help="A principal with this role, e.g. mes=User:mes-de01; can be given several times.",
)  # fmt: skip
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="Print the rights by role, in the form of Strimzi's KafkaUser.",
)
@BROKER
@GROUP
@CONFIG
@errors_as_sentences
def acls_of_topics(
    roles: tuple[str, ...], principals: tuple[str, ...], as_json: bool, broker: str | None,
    group: str | None, config: Path | None,
) -> None:  # fmt: skip
    """Print the rights that each role needs, as commands of kafka-acls.sh.

    Without ROLE, all roles are printed: worker, mes, machines, erp, steward, analyst, clerk,
    auditor, operator. The command contacts no broker, and changes nothing. Without --principal,
    a role's principal is User:ROLE.
    """
    import msgspec

    from streams.address import read_servers
    from streams.contract.rights import ROLES, commands, rights_of

    named = [each.partition("=")[::2] for each in principals]
    for role in (*roles, *(role for role, _ in named)):
        if role not in ROLES:
            raise click.UsageError(f"{role!r} isn't a role: {', '.join(ROLES)}")
    if not all(name for _, name in named):
        raise click.UsageError("--principal is ROLE=NAME, e.g. mes=User:mes-de01")
    settings = settings_of(config, broker=broker, group=group)
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


def _print_outcome(lines: list[str], problems: list[Any]) -> None:
    for line in lines:
        click.echo(line)
    for problem in problems:
        click.echo(f"{problem.severity}: {problem.text}")
    if any(problem.severity == "error" for problem in problems):
        sys.exit(EXIT_FAILED)
    click.echo("all topics are there and can be used")
