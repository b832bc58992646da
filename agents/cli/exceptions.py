"""The command `exceptions`: refused records listed, looked at, mended, sent again by the desk."""

import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import click

from agents.cli.desk_client import DeskClient, of_a_desk
from agents.cli.options import EXIT_FAILED, errors_as_sentences

FILTERS: Final = (
    ("plant", "Of this plant."),
    ("line", "Of this line."),
    ("class", "data, business or technical."),
    ("code", "The code, e.g. key_mismatch."),
    ("source", "The producer."),
    ("type", "The event's type."),
    ("status", "open, asked, resent, resolved, refused_again or dismissed."),
    ("assigned-to", "Whom they are assigned to."),
    ("text", "A part of the reason or of an id."),
    ("order", "The order of the event."),
    ("item", "Its item."),
    ("lot", "Its lot."),
)

COLUMNS: Final = ("id", "class", "code", "age", "where", "status", "for", "reason")

WENT: Final = frozenset(("done", "needs_approval", "would_be_accepted", "would_be_duplicate"))
"""Results after which nothing is left to look at."""

WHY = click.option("--why", help="The reason; it's kept with the act.")
AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print the desk's answer as JSON.")
IDS = click.argument("ids", nargs=-1, required=True, metavar="ID...")
WRITE = click.option(
    "--write", is_flag=True, help="Do it; without, only what would become of each is said."
)


def filtered(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options that choose exceptions."""
    for name, told in reversed(FILTERS):
        command = click.option(f"--{name}", f"of_{name.replace('-', '_')}", help=told)(command)
    return command


def on_a_desk(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options of a desk, and let its errors be sentences."""
    return of_a_desk(AS_JSON(errors_as_sentences(command)))


@click.group()
def exceptions() -> None:
    """List, show, mend, send again or dismiss refused records, as the desk's page does.

    Each act is written down: who, when, why, before and after. Nothing is sent twice by two people.
    """


@exceptions.command("list")
@filtered
@click.option("--limit", type=click.IntRange(1, 500), default=50, show_default=True)
@click.option("--newest", is_flag=True, help="The newest first; else the oldest.")
@on_a_desk
def list_exceptions(
    limit: int, newest: bool, as_json: bool, desk: str | None, token_file: Path | None,
    **chosen: str | None,
) -> None:  # fmt: skip
    """List exceptions: those that are open, unless --status says otherwise."""
    query: dict[str, object] = {**_filter(chosen), "limit": limit}
    query.setdefault("status", "open")
    query["sort"] = "newest" if newest else "oldest"
    found = DeskClient(desk, token_file).get("/exceptions", query)
    if as_json:
        _print_json(found)
        return
    for line in _table(found["items"]):
        click.echo(line)
    more = " (--limit shows more)" if found.get("next") else ""
    click.echo(f"{len(found['items'])} of {found.get('total', '?')}{more}", err=True)


@exceptions.command("show")
@click.argument("id")
@on_a_desk
def show_exception(id: str, as_json: bool, desk: str | None, token_file: Path | None) -> None:
    """Show an exception: the reason, what to do, the record as it came, and what was done."""
    found = DeskClient(desk, token_file).get("/exceptions/one", {"id": id})
    if as_json:
        _print_json(found)
        return
    for name in (
        "id", "class", "code", "reason", "what_to_do", "raised_at", "plant", "line", "type",
        "source", "event_id", "time", "status", "assigned_to", "version", "resent_from", "key",
    ):  # fmt: skip
        if found.get(name) is not None:
            click.echo(f"{name + ':':<13} {plain(found[name])}")
    for header in found.get("headers") or ():
        click.echo(f"{'header:':<13} {plain(header['name'])}: {plain(header['value'])}")
    text = found.get("text")
    click.echo(f"{'value:':<13} {'(no text: --json has it in base64)' if text is None else ''}")
    for line in (text or "").splitlines():
        click.echo(f"  {plain(line)}")
    for act in found.get("acts") or ():
        why = f": {plain(act['why'])}" if act.get("why") else ""
        click.echo(f"{plain(act['at'])}  {plain(act['who'])} {plain(act['act'])}{why}")


@exceptions.command("fix")
@click.argument("id")
@click.option(
    "--value", "file", type=click.Path(path_type=Path, allow_dash=True),
    help="A file with the event as it should have been; - reads the standard input.",
)  # fmt: skip
@click.option("--key", help="The record's key as it should have been, e.g. DE01/L3.")
@click.option("--version", type=click.IntRange(0), help="What `show` said: if it's newer, nothing.")
@WHY
@WRITE
@on_a_desk
def fix_exception(
    id: str, file: Path | None, key: str | None, version: int | None, why: str | None, write: bool,
    **asks: Any,
) -> None:  # fmt: skip
    """Send a refused event again as it should have been, under the same id.

    \b
    lineside exceptions show mes.events.v1/3/17 --json | jq -r .text > event.json
    lineside exceptions fix mes.events.v1/3/17 --value event.json --why "wrong unit" --write
    """
    more: dict[str, object] = {"key": key}
    if file is not None:
        try:
            with click.open_file(str(file), "rb") as opened:
                more["value"] = opened.read().decode()
        except UnicodeDecodeError as error:
            raise click.UsageError(f"{file} isn't UTF-8: {error.reason}") from None
    if version is not None:
        more["versions"] = {id: version}
    _act(asks, "fix", (id,), {}, why, more, write=write)


@exceptions.command("resubmit")
@click.argument("ids", nargs=-1, metavar="[ID]...")
@filtered
@WHY
@WRITE
@on_a_desk
def resubmit_exceptions(
    ids: tuple[str, ...], why: str | None, write: bool, as_json: bool, desk: str | None,
    token_file: Path | None, **chosen: str | None,
) -> None:  # fmt: skip
    """Send refused events again as they are: those named, or at most 1,000 that options choose.

    Without --write it is said what would become of each: accepted, a duplicate, or refused again.
    """
    chosen_by = _filter(chosen)
    if bool(ids) == bool(chosen_by):
        raise click.UsageError("name exceptions by their ids, or choose them by options")
    if chosen_by:
        chosen_by.setdefault("status", "open")
    asks = {"as_json": as_json, "desk": desk, "token_file": token_file}
    _act(asks, "resend", ids, chosen_by, why, {}, write=write)


@exceptions.command("dismiss")
@IDS
@click.option("--why", required=True, help="Why nothing has to be done.")
@on_a_desk
def dismiss_exceptions(ids: tuple[str, ...], why: str, **asks: Any) -> None:
    """Say that nothing has to be done about exceptions."""
    _act(asks, "dismiss", ids, {}, why, {})


@exceptions.command("assign")
@IDS
@click.option("--to", help="Who sees to them; without, nobody does.")
@WHY
@on_a_desk
def assign_exceptions(ids: tuple[str, ...], to: str | None, why: str | None, **asks: Any) -> None:
    """Say who sees to exceptions."""
    _act(asks, "assign", ids, {}, why, {"to": to})


@exceptions.command("comment")
@IDS
@click.option("--why", required=True, help="What is to be said.")
@on_a_desk
def comment_exceptions(ids: tuple[str, ...], why: str, **asks: Any) -> None:
    """Say something about exceptions."""
    _act(asks, "comment", ids, {}, why, {})


@exceptions.command("approve")
@IDS
@WHY
@on_a_desk
def approve_exceptions(ids: tuple[str, ...], why: str | None, **asks: Any) -> None:
    """Let go what somebody else asked for: it is sent."""
    _act(asks, "approve", ids, {}, why, {})


@exceptions.command("reject")
@IDS
@click.option("--why", required=True, help="Why it isn't sent.")
@on_a_desk
def reject_exceptions(ids: tuple[str, ...], why: str, **asks: Any) -> None:
    """Don't let go what somebody asked for: it is open again."""
    _act(asks, "reject", ids, {}, why, {})


def _act(
    asks: Mapping[str, Any], act: str, ids: Sequence[str], chosen: Mapping[str, object],
    why: str | None, more: Mapping[str, object], *, write: bool = True,
) -> None:  # fmt: skip
    """Let the desk do something; end with 1 if something is left to look at."""
    body: dict[str, object] = {"act": act, "why": why, "dry_run": not write, **more}
    body |= {"filter": dict(chosen)} if chosen else {"ids": list(ids)}
    told = {name: each for name, each in body.items() if each is not None}
    answer = DeskClient(asks["desk"], asks["token_file"]).post("/exceptions/act", told)
    if asks["as_json"]:
        _print_json(answer)
    else:
        for item in answer["items"]:
            code = f" {plain(item['code'])}" if item.get("code") else ""
            reason = f": {plain(item['reason'])}" if item.get("reason") else ""
            click.echo(f"{plain(item['id'])}\t{plain(item['result'])}{code}{reason}")
        more_said = "" if write else "; nothing was done: --write does it"
        count = len(answer["items"])
        things = "exception" if count == 1 else "exceptions"
        click.echo(f"{count} {things}, {answer['done']} done{more_said}", err=True)
    if any(item["result"] not in WENT for item in answer["items"]):
        sys.exit(EXIT_FAILED)


def _filter(chosen: Mapping[str, str | None]) -> dict[str, object]:
    return {name.removeprefix("of_"): each for name, each in chosen.items() if each is not None}


def _table(items: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return a line for each exception under a line of names, in columns."""
    rows = [COLUMNS, *map(_row, items)]
    last = len(COLUMNS) - 1
    widths = [max(len(row[n]) for row in rows) for n in range(last)]
    return ["  ".join([*(row[n].ljust(widths[n]) for n in range(last)), row[last]]) for row in rows]


def _row(item: Mapping[str, Any]) -> tuple[str, ...]:
    where = "/".join(plain(item[name]) for name in ("plant", "line") if item.get(name))
    return (
        plain(item["id"]), plain(item["class"]), plain(item["code"]), _age(item["age_seconds"]),
        where, plain(item["status"]), plain(item.get("assigned_to") or ""), plain(item["reason"]),
    )  # fmt: skip


def _age(seconds: float) -> str:
    for length, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"


def plain(text: object) -> str:
    """Return a text of anybody's as a terminal may have it: nothing in it moves the cursor."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in str(text))


def _print_json(found: object) -> None:
    click.echo(json.dumps(found, indent=2))  # in ASCII: what an event says moves no cursor
