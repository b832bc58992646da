"""The checks of the contract for one record: which it passed, and the one at which it stopped."""

import json
from collections.abc import Sequence
from typing import Any, Literal

from msgspec import Struct

from agents.policy.running import Given, World
from streams.contract.checks import CHECKS, Code
from streams.contract.events import NAMES
from streams.contract.rejection import Rejection
from streams.contract.topics import EXCEPTIONS
from streams.log.record import Outgoing
from tables.line.periods import base_period
from tables.partition.partition import Partition

Came = Literal["passed", "stopped here", "does not apply", "not reached"]


class Step(Struct, frozen=True):
    """One check of the contract, and what came of it."""

    number: str
    outcome: str
    came: Came
    told: str


def refusal_of(out: Sequence[Outgoing]) -> tuple[Code, str] | None:
    """Return the code and the reason of an exception among what leaves."""
    for each in out:
        if each.topic == EXCEPTIONS:
            data = json.loads(each.value)["data"]
            return data["code"], data["reason"]
    return None


def steps_of(
    given: Given, outcome: str, refusal: tuple[Code, str] | None, before: World
) -> list[Step]:
    """Return what came of each check; `before` is how things were when the record came."""
    stopped = _stopped(given, outcome, refusal)
    steps = []
    reached = True
    for check in CHECKS:
        came: Came = "passed"
        told = ""
        if check.number == stopped:
            came = "stopped here"
            told = check.outcome if refusal is None else refusal[1]
        elif not reached:
            came = "not reached"
        elif (why := _why_not(check.number, given, before)) is not None:
            came, told = "does not apply", why
        steps.append(Step(check.number, check.outcome, came, told))
        reached = reached and check.number != stopped
    return steps


def _stopped(given: Given, outcome: str, refusal: tuple[Code, str] | None) -> str:
    """Return the number of the check at which the fold stopped."""
    if refusal is None:
        return next(check.number for check in CHECKS if check.outcome == outcome)
    code, _ = refusal
    kind = _type_of(given)
    if code == "invalid" and not isinstance(kind, str):
        return "2"
    if code in ("invalid", "from_the_future") and _is_own(kind):
        return "4"
    if code == "invalid":
        return "5"
    return next(check.number for check in CHECKS if check.outcome == code)


def _type_of(given: Given) -> Any:
    for name, value in given.record.headers:
        if name.lower() == "ce_type" and value is not None:
            return value.decode("utf-8", "replace")
    try:
        document = json.loads((given.record.value or b"").decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return None
    return document.get("type") if isinstance(document, dict) else None


def _is_own(kind: object) -> bool:
    """Return whether a type is one that only lineside writes."""
    return isinstance(kind, str) and kind.startswith(("clock.", "reference."))


def _why_not(number: str, given: Given, world: World) -> str | None:
    """Return why a check has nothing to look at, None if it has."""
    event: Any = given.decoded
    if isinstance(event, Rejection) or event.__class__ not in NAMES:
        return "neither a tick nor a reference record" if number == "4" else None
    partition = world.partitions[given.topic]
    plans = base_period(partition.rules, event.plant).plans
    plan = next(each for each in plans if each.event == NAMES[event.__class__])
    if number == "4":
        return "neither a tick nor a reference record"
    if number == "7" and given.record.timestamp is None:
        return "the record has no timestamp"
    if number in ("8", "9", "10") and not plan.transaction:
        return "telemetry is in no ledger"
    if number in ("11", "12", "13", "14") and not plan.is_reversal:
        return "no reversal"
    if number == "15" and not plan.is_stop:
        return "no stop"
    if number == "15a" and not plan.is_hold:
        return "no hold"
    if number in ("16", "17"):
        return _not_required(number, partition, plan.is_checked, event.plant)
    return None


def _not_required(number: str, partition: Partition, checked: bool, plant: str) -> str | None:
    own = partition.known.plants.get(plant)
    if not checked:
        return "its type is not held against what is known"
    if own is None or not own.require:
        return f"no plant record requires anything of {plant}"
    if number == "17" and "order" not in own.require:
        return f"{plant} doesn't require order"
    return None
