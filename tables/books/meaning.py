"""EDGE: what it means that was found: the sentences of an answer, the most important first."""

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, case, func, select

from tables.books import known_now
from tables.books.finding import Kind
from tables.books.fresh import behind
from tables.books.plants import Plants
from tables.books.schema import PROCESSED
from tables.books.sentences import Sentence, of_event, say

SENTENCES_MAX: Final = 12
"""Of one answer: what is more is in the lists below them."""


class Told(NamedTuple):
    """What was found, as items."""

    query: str
    kind: Kind | None
    events: list[dict[str, Any]]
    transactions: list[dict[str, Any]]
    exceptions: list[dict[str, Any]]
    doubles: list[dict[str, Any]]
    more: bool


def sentences(connection: Connection, plants: Plants, told: Told) -> list[Sentence]:
    """Return what was found in sentences: what somebody has to mend comes first."""
    found = [*_doubles(told)]
    if len(told.events) > 1:
        found.append(_counts(told))
    refused = {_place(each): each for each in told.events if each["outcome"] == "refused"}
    settled = ("resolved", "dismissed")
    for exception in sorted(told.exceptions, key=lambda each: each["status"] in settled):
        found += _exception(exception, refused.get(exception["id"]))
    parts: dict[bool, list[Sentence]] = {True: [], False: []}
    for event in told.events:
        if event["outcome"] == "accepted":
            parts[event["waits_for"] is not None] += _accepted(event)
        elif event["outcome"] == "duplicate" and len(told.events) == 1:
            found.append(say("repeated", **of_event(event)))
    found += [*parts[True], *parts[False]]
    if told.kind == "posting_key":
        found = [*_records(told), *found]
    if not (told.events or told.transactions or told.exceptions):
        found += _nothing(connection, plants, told)
    found = found[:SENTENCES_MAX]
    if told.more:
        found.append(say("more"))
    found += _late(connection, bool(found and not told.events))
    return found


def _place(event: Mapping[str, Any]) -> str:
    return f"{event['topic']}/{event['partition']}/{event['offset']}"


def _doubles(told: Told) -> Iterator[Sentence]:
    for each in told.doubles:
        lines = sorted({f"{event['plant']}/{event['line']}" for event in each["events"]})
        plant = each["events"][0]["plant"]
        yield say(
            "double_booking",
            id=each["id"],
            source=each["source"],
            plant=plant,
            times=len(each["events"]),
            lines=lines,
        )


def _counts(told: Told) -> Sentence:
    outcomes = [event["outcome"] for event in told.events]
    return say(
        "counts",
        name=told.query,
        kind=told.kind,
        accepted=outcomes.count("accepted"),
        duplicates=outcomes.count("duplicate"),
        refused=outcomes.count("refused"),
    )


def _exception(exception: Mapping[str, Any], event: Mapping[str, Any] | None) -> Iterator[Sentence]:
    reason = exception["reason"].rstrip(".")
    told = {"code": exception["code"], "reason": reason, "exception": exception["id"]}
    if exception["event_id"] is None:
        topic, partition, offset = exception["id"].rsplit("/", 2)
        place = {"topic": topic, "partition": partition, "offset": offset}
        yield say("refused_unread", **place, **told, plant=exception["plant"])
    else:
        values = of_event(
            {
                "type": exception["type"],
                "id": exception["event_id"],
                "plant": exception["plant"],
                "line": exception["line"],
                "order": exception["order"],
                "arrived_at": exception["raised_at"],
                "time": exception["time"],
                "data": None if event is None else event["data"],
            }
        )
        yield say("refused", **values, **told)
    yield say(
        f"status_{exception['status']}",
        id=exception["id"],
        due_at=exception["due_at"],
        plant=exception["plant"],
        status=exception["status"],
    )


def _accepted(event: Mapping[str, Any]) -> Iterator[Sentence]:
    values = of_event(event)
    waits = event["waits_for"]
    if waits is not None:
        hold = waits["hold"]
        keeper = hold if hold is None or hold.startswith("order ") else f"hold {hold} keeps it"
        told = {"until": waits["until"], "hold": hold, "keeper": keeper}
        yield say(f"waits_for_{waits['what']}", **values, **told)
    for each in event["became"]:
        record = each["transaction"]
        told = {
            "key": record["id"],
            "record": record["type"],
            "written_at": record["written_at"],
        }
        if each["how"] == "at_once":
            yield say("left_at_once", **values, **told)
        elif each["how"] == "reversal":
            yield say("taken_back_at_erp", **values, **told, reverses=record["reverses"])
        elif each["how"] == "notification":
            yield say("notified", **values, **told)
        else:
            yield say(
                "left_by_window",
                **{**values, "uom": record["uom"]},
                **told,
                value=record["value"],
                window_start=record["window_start"],
                window_end=record["window_end"],
            )
    back = event["reversed_by"]
    if back is not None:
        code = "reversed" if event["became"] else "taken_back_before"
        yield say(code, **values, by=back["id"], at=back["time"])
    elif not event["became"] and waits is None:
        yield say("sends_nothing", **values)


def _records(told: Told) -> Iterator[Sentence]:
    for record in told.transactions:
        yield say(
            "record_left",
            key=record["id"],
            type=record["type"],
            plant=record["plant"],
            written_at=record["written_at"],
            value=record["value"],
            uom=record["uom"],
        )
        if record["reversed_by"] is not None:
            yield say(
                "record_reversed",
                key=record["id"],
                plant=record["plant"],
                by=record["reversed_by"],
            )


def _nothing(connection: Connection, plants: Plants, told: Told) -> Iterator[Sentence]:
    if told.kind == "order":
        known = known_now.facts(connection, "order", plants, {told.query})
        for (plant, order), data in sorted(known.items()):
            yield say("known_order", order=order, plant=plant, status=data.get("status"))
        if known:
            return
    yield say("nothing_found", query=told.query)


def _late(connection: Connection, nothing: bool) -> Iterator[Sentence]:
    """Yield what may not be there yet: `nothing` was found, so it may wait for the job, too."""
    lacking = behind(connection)
    if lacking:
        yield say("books_behind", records=lacking)
    if nothing:
        ahead = PROCESSED.c.end_offset - PROCESSED.c.next_offset
        wanted = select(func.sum(case((ahead > 0, ahead), else_=0)))
        waiting = int(connection.execute(wanted).scalar() or 0)
        if waiting:
            yield say("unprocessed", records=waiting)
