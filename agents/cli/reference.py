"""The command `reference`: what is known of master data, and files of it."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from time import time
from typing import TYPE_CHECKING, Any

import click

from agents.cli.options import BROKER, CONFIG, EXIT_FAILED, GROUP, errors_as_sentences, settings_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from agents.settings.settings import Settings

DATA_DIR = click.option("--data-dir", help="Of a job on the embedded log; its worker mustn't run.")
KIND = click.option("--kind", help="Only of this kind, e.g. item.")
PLANT = click.option("--plant", help="Only of this plant; * are all that are of all plants.")

SHOWN_MAX = 100
"""So many refused rows are told one by one."""


def of_a_job(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options that say of which job, and let its errors be sentences."""
    for each in (errors_as_sentences, CONFIG, DATA_DIR, GROUP, BROKER):
        command = each(command)
    return command


@click.group()
def reference() -> None:
    """List, show, import or export master data: items, orders, holds, rules and so on."""


@reference.command("list")
@KIND
@PLANT
@of_a_job
def list_records(kind: str | None, plant: str | None, **where: Any) -> None:
    """Print a line for each record that is known: kind, plant, id, and what it says."""
    for each, of, parts, data in _known(_settings(**where), kind, plant):
        said = {name: value for name, value in data.items() if name not in _members_of_id(each)}
        click.echo("\t".join((each, of, "/".join(parts), json.dumps(said, ensure_ascii=False))))


@reference.command("show")
@click.argument("kind")
@click.argument("plant")
@click.argument("ids", metavar="[ID]...", nargs=-1)
@of_a_job
def show_record(kind: str, plant: str, ids: tuple[str, ...], **where: Any) -> None:
    """Print a record as it is known: who said it, when, and what.

    \b
    lineside reference show item DE01 M-100
    lineside reference show work_unit DE01 L3 PRESS-1
    """
    from agents.reference.access import latest
    from streams.contract.reference_key import key_of

    value = latest(_settings(**where)).get(key_of(kind, plant, ids))
    if value is None:
        click.echo(f"no {kind} {'/'.join(ids)} of plant {plant} is known".replace("  ", " "))
        sys.exit(EXIT_FAILED)
    click.echo(json.dumps(json.loads(value), indent=2, ensure_ascii=False))


@reference.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--kind", help="Of rows that name none.")
@click.option("--plant", help="Of rows that name none.")
@click.option("--source", default="/steward", show_default=True, help="Who says so.")
@click.option("--whole", is_flag=True, help="An empty cell of CSV takes the member away.")
@click.option("--write", is_flag=True, help="Send the records, if no row is refused.")
@of_a_job
def import_file(
    file: Path, kind: str | None, plant: str | None, source: str, whole: bool, write: bool,
    **where: Any,
) -> None:  # fmt: skip
    """Say what a file of master data would change; with --write, send it.

    FILE is CSV (its name ends in .csv) or JSON: an array, or an object a line. Each row that would
    be refused is named with its reason. Rows that say what is known already are not sent. The exit
    code is 1 if a row is refused; then nothing is sent.
    """
    from agents.reference.access import latest, send
    from agents.reference.importing import judged_rows, summary
    from agents.reference.rows import FileError, read_rows
    from agents.settings.settings import terms_of
    from tables.reference.known import Known

    settings = _settings(**where)
    try:
        text = file.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise FileError(f"{file} isn't UTF-8: {error.reason} at byte {error.start}") from None
    rows = read_rows(text, file.suffix.lower() == ".csv", kind, plant, whole)
    known = Known()
    for key, value in latest(settings).items():
        known.learn(key, value)
    judged = judged_rows(rows, known, terms_of(settings), source, round(time() * 1e6))
    refused = [each for each in judged if each.became == "refused"]
    for each in refused[:SHOWN_MAX]:
        click.echo(f"row {each.row.number}: {each.reason}", err=True)
    if len(refused) > SHOWN_MAX:
        click.echo(f"and {len(refused) - SHOWN_MAX:,} more", err=True)
    values = [each.value for each in judged if each.value is not None]
    if write and values and not refused:
        send(settings, values)
    done = "sent" if write and values and not refused else "nothing was sent"
    more = "; --write sends them" if values and not refused and not write else ""
    click.echo(f"{summary(judged) or 'no rows'}: {done}{more}")
    if refused:
        sys.exit(EXIT_FAILED)


@reference.command("export")
@click.argument("file", type=click.Path(path_type=Path))
@KIND
@PLANT
@of_a_job
def export_file(file: Path, kind: str | None, plant: str | None, **where: Any) -> None:
    """Write what is known to FILE, as CSV (its name ends in .csv) or a JSON object a line.

    `import` reads such a file, and says that nothing would change.
    """
    from agents.reference.rows import csv_of, json_of

    known = [(each, of, data) for each, of, _, data in _known(_settings(**where), kind, plant)]
    text = csv_of(known) if file.suffix.lower() == ".csv" else json_of(known)
    file.write_text(text, "utf-8")
    click.echo(f"{len(known):,} records in {file}")


def _settings(
    broker: str | None, group: str | None, data_dir: str | None, config: Path | None
) -> "Settings":
    settings: Settings = settings_of(config, broker=broker, group=group, data_dir=data_dir)
    return settings


def _known(
    settings: "Settings", kind: str | None, plant: str | None
) -> "Iterator[tuple[str, str, tuple[str, ...], Mapping[str, Any]]]":
    """Yield kind, plant, id and `data` of what is known, by key."""
    from agents.reference.access import latest
    from streams.contract.reference_key import read_key
    from tables.reference.known import Known

    known = Known()
    for key, value in latest(settings).items():
        known.learn(key, value)
    for key, data in known.items():
        each, of, parts = read_key(key)
        if kind in (None, each) and plant in (None, of):
            yield each, of, parts, data


def _members_of_id(kind: str) -> tuple[str, ...]:
    from streams.contract.reference import KINDS

    return KINDS[kind].ID if kind in KINDS else ("id",)
