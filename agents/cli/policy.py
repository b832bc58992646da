"""The command `policy`: which rules hold, is a file of them right, what becomes of an event."""

import sys
from pathlib import Path
from time import time
from typing import TYPE_CHECKING, Any

import click

from agents.cli.options import CONFIG, EXIT_FAILED, errors_as_sentences, settings_of

if TYPE_CHECKING:
    from agents.settings.settings import Settings
    from streams.contract.reference import Reference

REFERENCE = click.option(
    "--reference", type=click.Path(path_type=Path),
    help="Reference records that are known: as lineside copies them, or as `lineside reference "
    "export` writes them.",
)  # fmt: skip
JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group()
def policy() -> None:
    """Show the rules that hold, check a file of them, or explain what becomes of an event.

    The settings of a job and files are read; nothing is asked of a broker, and nothing is sent.
    """


@policy.command()
@REFERENCE
@click.option("--at", "at", help="The instant to call now, in RFC 3339; default: now.")
@JSON
@CONFIG
@errors_as_sentences
def show(reference: Path | None, at: str | None, as_json: bool, config: Path | None) -> None:
    """Print which rules hold for each plant, and from when.

    \b
    lineside reference export known.ndjson
    lineside policy show --reference known.ndjson
    """
    from agents.policy.showing import shown_rules
    from agents.policy.telling import lines_of_rules
    from agents.settings.settings import policy_of, rules_of
    from streams.contract.topics import MES_EVENTS

    settings = settings_of(config)
    shown = shown_rules(
        rules_of(settings)[MES_EVENTS], policy_of(settings), settings.time_zones,
        _references(reference, settings), _now() if at is None else _instant(at),
    )  # fmt: skip
    if as_json:
        _print_json(shown)
    else:
        for line in lines_of_rules(shown):
            click.echo(line)


@policy.command()
@click.argument("file", type=click.Path(path_type=Path))
@JSON
@CONFIG
@errors_as_sentences
def check(file: Path, as_json: bool, config: Path | None) -> None:
    """Say what is wrong with FILE, a sentence for each fault.

    A file whose name ends in .toml is a policy. All else is reference records: an object a line, as
    lineside copies them, as erp.master.v1 takes them, or as `lineside reference export` writes
    them; CSV if its name ends in .csv. The exit code is 1 if anything is wrong.
    """
    from agents.policy.checking import faults_of
    from agents.policy.reading import told_of
    from agents.settings.settings import terms_of

    what, records, faults = faults_of(file, terms_of(settings_of(config)), _now())
    if as_json:
        _print_json({"file": str(file), "what": what, "records": records, "faults": faults})
    elif not faults:
        of = f"{records:,} {what[:-1] if records == 1 else what}" if records else what
        click.echo(f"{file} is right: {of}")
    for fault in [] if as_json else faults:
        click.echo(f"{file}: {told_of(fault)}")
    if faults:
        sys.exit(EXIT_FAILED)


@policy.command()
@click.argument("event", type=click.Path(path_type=Path))
@REFERENCE
@click.option("--topic", help="The input topic that the event is on; default: the one of its type.")
@JSON
@CONFIG
@errors_as_sentences
def explain(
    event: Path, reference: Path | None, topic: str | None, as_json: bool, config: Path | None
) -> None:
    """Say what would become of an event, and by which rule.

    EVENT has a CloudEvent in JSON, or a record of `kcat -C -J`; - reads the standard input. Where
    it has several, a line each, the last is explained, after those before it: a reversal needs its
    original. Printed are the checks, the rows and windows, and the records that would leave.
    """
    from agents.policy.explaining import explain as explained_of
    from agents.policy.running import given_of
    from agents.policy.telling import lines_of_explained
    from agents.settings.settings import rules_of

    settings = settings_of(config)
    text = sys.stdin.buffer.read() if str(event) == "-" else event.read_bytes()
    given = given_of(text, _topic(topic))
    explained = explained_of(given, rules_of(settings), _references(reference, settings))
    if as_json:
        _print_json(explained)
    else:
        for line in lines_of_explained(explained):
            click.echo(line)


def _references(file: Path | None, settings: "Settings") -> "list[Reference]":
    from agents.policy.reading import read_records, read_text, references
    from agents.settings.settings import terms_of

    if file is None:
        return []
    text = read_text(file)
    read = read_records(text, file.suffix.lower() == ".csv", terms_of(settings), _now())
    return references(read, file)


def _topic(given: str | None) -> str | None:
    from streams.contract.topics import INPUTS

    if given is not None and given not in INPUTS:
        raise click.BadParameter(f"{given!r} is none of {', '.join(INPUTS)}", param_hint="--topic")
    return given


def _instant(given: str) -> int:
    from streams.values import instant

    try:
        return instant.parse(given)
    except ValueError as error:
        raise click.BadParameter(f"{given!r}: {error}", param_hint="--at") from None


def _now() -> int:
    return round(time() * 1e6)


def _print_json(value: Any) -> None:
    import msgspec

    click.echo(msgspec.json.format(msgspec.json.encode(value)))
