"""What has to come out of the workload, and what did: totals by plant, line, type and measure.

They are integers (billionths), so a sum is exact or it is wrong. Three ways to the same totals: of
the log itself (`of_workload`, which shares nothing with lineside's job but how a number and a time
are read), of what lineside wrote, of what another contestant wrote.
"""

from collections import Counter
from collections.abc import Iterable
from typing import Any, Final

import msgspec
from workload import Digest, Plan, Workload

from streams.contract.topics import (
    ERP_TRANSACTIONS,
    SUMMARY_CONSUMPTION,
    SUMMARY_DOWNTIME,
    SUMMARY_SCRAP,
)
from streams.values import instant, quantity
from streams.values.quantity import SCALE, Number

Totals = Counter[tuple[str, str, str, str]]
"""Billionths by plant, line, type and measure; records by "count", where each is one event."""

TOPICS: Final = {
    SUMMARY_CONSUMPTION: "consumption",
    SUMMARY_SCRAP: "scrap",
    SUMMARY_DOWNTIME: "downtime",
    ERP_TRANSACTIONS: "confirmation",
}
"""Of lineside, with what the contestants call it; only confirmations are looked at of the last."""

MEASURES: Final = {
    "confirmation": ("quantity",),
    "consumption": ("quantity",),
    "scrap": ("quantity",),
    "downtime": ("seconds", "stops"),
}
SHOWN: Final = 5

EVENTS: Final = {
    "production.confirmed.v1": "confirmation",
    "material.consumed.v1": "consumption",
    "scrap.declared.v1": "scrap",
}


class Data(msgspec.Struct):
    """Of an event of the workload: what totals need."""

    quantity: Any = None
    episode: str | None = None


class Event(msgspec.Struct):
    """An event of the workload."""

    type: str
    id: str
    time: str
    plant: str
    line: str
    data: Data


def of_workload(plan: Plan) -> tuple[Totals, str]:
    """Return what has to come out, of each good event once, and the digest of the log.

    The ids of a line rise, so one that doesn't is a duplicate.
    """
    found, digest = Totals(), Digest()
    decode = msgspec.json.Decoder(Event, float_hook=Number).decode
    latest: dict[bytes, str] = {}
    stops: dict[str, int] = {}
    for topic, key, value in Workload(plan).records():
        digest.add(topic, key, value)
        if topic != "mes.events.v1":
            continue
        try:
            event = decode(value)
            kind = EVENTS.get(event.type)
            if kind is None and event.data.episode is None:
                continue
            amount = 0 if kind is None else quantity.parse(event.data.quantity)
        except ValueError:
            continue
        if len(event.id) < len(latest.get(key, "")) or event.id <= latest.get(key, ""):
            continue
        latest[key] = event.id
        at = event.plant, event.line
        if kind is not None:
            found[*at, kind, "quantity"] += amount
            found[*at, kind, "count"] += kind == "confirmation"
        else:
            assert event.data.episode is not None
            micros = instant.parse(event.time)
            began = stops.pop(event.data.episode, None)
            if began is None:
                stops[event.data.episode] = micros
            else:
                found[*at, "downtime", "seconds"] += (micros - began) * (SCALE // instant.SECOND)
                found[*at, "downtime", "stops"] += SCALE
    return +found, digest.text


_decode = msgspec.json.Decoder(dict[str, Any], float_hook=Number).decode


def add_lineside(found: Totals, topic: str, values: Iterable[bytes]) -> None:
    """Add what lineside wrote to one of `TOPICS`; all revisions of a row count."""
    kind = TOPICS[topic]
    for value in values:
        if kind == "confirmation" and b'"erp.production_confirmation.v1"' not in value[:80]:
            continue
        record = _decode(value)
        _add(found, record, kind)


def add_peer(found: Totals, values: Iterable[bytes]) -> Counter[str]:
    """Add what a contestant wrote; return its records by type. Late ones count as what they are.

    Raises `ValueError` for one that can't be read, or a measure that isn't an exact decimal.
    """
    kinds: Counter[str] = Counter()
    for value in values:
        record = _decode(value)
        kinds[record["type"]] += 1
        kind = record["data"]["of"] if record["type"] == "late" else record["type"]
        _add(found, record, kind)
    return kinds


def _add(found: Totals, record: dict[str, Any], kind: str) -> None:
    at = record["plant"], record["line"], kind
    for measure in MEASURES[kind]:
        amount = quantity.parse(record["data"][measure])
        if amount:
            found[*at, measure] += amount
    if kind == "confirmation":
        found[*at, "count"] += 1


def differences(wanted: Totals, found: Totals) -> list[str]:
    """Return a line for each total that differs, the first few and how many there are."""
    keys = sorted(key for key in wanted.keys() | found.keys() if wanted[key] != found[key])
    sentences = [
        f"{plant}/{line} {kind} {measure}: {_text(found[key], measure)} instead of "
        f"{_text(wanted[key], measure)}"
        for key in keys[:SHOWN]
        for plant, line, kind, measure in (key,)
    ]
    return [*sentences, f"{len(keys):,} totals differ"] if keys else []


def _text(amount: int, measure: str) -> str:
    return str(amount) if measure == "count" else quantity.text(amount)
