"""Which event leaves as what, and when: the policy file, read and checked."""

import tomllib
from importlib.resources import files
from typing import Final, Literal

import msgspec
from msgspec import Struct, field

from streams.events import TYPES
from streams.members import members
from streams.topics import ERP_TRANSACTIONS, MACHINE_EVENTS, OUTPUTS

DOWNTIME: Final = "summary.downtime.v1"
"""The summary that episodes feed."""

Measures = dict[str, str]
"""Measure by name -> the event's member that feeds it."""


class Transaction(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A type of record for the ERP."""

    short: str
    when: Literal["at_once", "window"]
    inputs: dict[str, Measures]
    row: tuple[str, ...] = ()
    measures: tuple[str, ...] = ()
    where: dict[str, dict[str, str]] = field(default_factory=dict)
    leave_out: tuple[str, ...] = ()
    event: bool = False


class Summary(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A type of record for analytics; its topic has the name of the type."""

    short: str
    row: tuple[str, ...]
    measures: tuple[str, ...]
    inputs: dict[str, Measures] = field(default_factory=dict)
    where: dict[str, dict[str, str]] = field(default_factory=dict)


class Policy(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole table; the order of its entries is the order in which equal ends leave."""

    transactions: dict[str, Transaction]
    summaries: dict[str, Summary]


class PolicyError(ValueError):
    """A policy that can't be followed; its text is one sentence for the person who wrote it."""


def default_policy() -> Policy:
    """Return the policy that ships with lineside (`streams/policy.toml`)."""
    return read_policy(files("streams").joinpath("policy.toml").read_text("utf-8"))


def read_policy(toml: str) -> Policy:
    """Return the policy in `toml`, or raise `PolicyError` naming what is wrong."""
    try:
        policy = msgspec.convert(tomllib.loads(toml), Policy)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise PolicyError(f"the policy can't be read: {error}") from None
    shorts: set[str] = {"mn", "rv"}
    entries: list[tuple[str, Transaction | Summary]] = [
        *policy.transactions.items(),
        *policy.summaries.items(),
    ]
    for name, entry in entries:
        if not entry.short.isalnum() or entry.short in shorts:
            raise PolicyError(f"{name}: short {entry.short!r} is taken or not alphanumeric")
        shorts.add(entry.short)
        _check_entry(name, entry)
    for name in policy.summaries:
        if name not in OUTPUTS or name == ERP_TRANSACTIONS:
            raise PolicyError(f"summary {name!r} has no topic of its name")
    downtime = policy.summaries.get(DOWNTIME)
    if downtime is None or downtime.inputs or downtime.measures != ("seconds", "stops"):
        raise PolicyError(f"{DOWNTIME} must be there, without inputs, with seconds and stops")
    if downtime.row != ("work_unit", "reason", "planned"):
        raise PolicyError(f"{DOWNTIME}: the row must be work_unit, reason, planned")
    return policy


def _check_entry(name: str, entry: Transaction | Summary) -> None:
    windowed = isinstance(entry, Summary) or entry.when == "window"
    if windowed and not (entry.row and entry.measures):
        raise PolicyError(f"{name} goes by window, so it needs a row and measures")
    for kind, measures in entry.inputs.items():
        if kind not in TYPES:
            raise PolicyError(f"{name}: no input type {kind!r}")
        if not windowed and TYPES[kind].TOPIC == MACHINE_EVENTS:
            raise PolicyError(f"{name}: {kind} is a machine event, which never leaves singly")
        known = {member.name: member for member in members(TYPES[kind].__annotations__["data"])}
        missing = [member for member in entry.row if member not in known]
        if windowed and missing:
            raise PolicyError(f"{name}: {kind} has no member {missing[0]!r} for its row")
        odd = [one for one in entry.row if windowed and known[one].kind not in ("text", "flag")]
        if odd:
            raise PolicyError(f"{name}: {odd[0]!r} of {kind} is no text or flag, so no row member")
        for measure, member in measures.items():
            if measure not in entry.measures:
                raise PolicyError(f"{name}: {measure!r} of {kind} is none of its measures")
            if member not in known or known[member].kind != "measure":
                raise PolicyError(f"{name}: {kind} has no measure {member!r}")
        for member in entry.where.get(kind, {}):
            if member not in known:
                raise PolicyError(f"{name}: {kind} has no member {member!r} to look at")
    for kind in entry.where:
        if kind not in entry.inputs:
            raise PolicyError(f"{name}: where names {kind!r}, which is none of its inputs")
