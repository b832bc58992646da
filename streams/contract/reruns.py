"""A rerun: who sent which inputs again, as a record of `audit.v1` that is written as it begins."""

from collections.abc import Mapping
from typing import Final, Literal

import msgspec
from msgspec import Struct

from streams.contract.transactions import SOURCE
from streams.values import instant

RERUN: Final = "lineside.rerun.v1"
"""The `type` of such a record."""


class Chosen(Struct, frozen=True, omit_defaults=True):
    """Which records of inputs are sent again: those with a timestamp from `begin` to before `end`.

    Both in microseconds. None: of all plants, lines, orders.
    """

    begin: int
    end: int
    topics: tuple[str, ...]
    plant: str | None = None
    line: str | None = None
    order: str | None = None


class Rerun(Struct, frozen=True):
    """A rerun that has begun: what isn't before `ends` isn't sent again."""

    id: str
    at: int
    who: str
    chosen: Chosen
    ends: Mapping[str, int]
    """By topic and partition, a slash between them: the next offset as it began."""


class _Data(Struct, omit_defaults=True):
    who: str
    begin: str
    end: str
    topics: tuple[str, ...]
    ends: dict[str, int]
    plant: str | None = None
    line: str | None = None
    order: str | None = None


class _Event(Struct):
    specversion: Literal["1.0"]
    type: Literal["lineside.rerun.v1"]
    source: str
    id: str
    time: str
    data: _Data


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(_Event).decode


def rerun_bytes(rerun: Rerun) -> bytes:
    """Return the record of a rerun: a CloudEvent in JSON."""
    chosen = rerun.chosen
    data = _Data(
        who=rerun.who,
        begin=instant.text(chosen.begin),
        end=instant.text(chosen.end),
        topics=chosen.topics,
        ends=dict(rerun.ends),
        plant=chosen.plant,
        line=chosen.line,
        order=chosen.order,
    )
    return _encode(_Event("1.0", RERUN, SOURCE, rerun.id, instant.text(rerun.at), data))


def rerun_of(value: bytes | None) -> Rerun | None:
    """Return the rerun that a record of `audit.v1` is, None if it is none."""
    try:
        event = _decode(value or b"")
        data = event.data
        chosen = Chosen(
            instant.parse(data.begin),
            instant.parse(data.end),
            data.topics,
            data.plant,
            data.line,
            data.order,
        )
        return Rerun(event.id, instant.parse(event.time), data.who, chosen, data.ends)
    except (ValueError, RecursionError):  # msgspec's errors are ValueErrors
        return None
