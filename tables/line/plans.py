"""What becomes of an accepted event of each type, ready to be followed: made of the rules.

Fields are the members of an event's `data`, by their number. Numbers that are used for each event
lie in `bytes`: they are read from there without an object.
"""

from typing import Any, Final

import msgspec

from streams.contract.events import (
    TYPES,
    DowntimeEnded,
    DowntimeStarted,
    MachineState,
    MachineTelemetry,
    TransactionReversed,
)  # fmt: skip
from streams.contract.members import Member, members
from streams.contract.policy import MEASURES_MAX
from streams.contract.transactions import head_of
from tables.line import rules as rules_

KINDS: Final = ("text", "measure", "flag", "json", "object")
TEXT, MEASURE, FLAG = 0, 1, 2

NO_FIELD: Final = -1

_packed = msgspec.msgpack.Encoder().encode


class Condition:
    """A text that an event has to have in a field."""

    def __init__(self, field: int, value: str) -> None:
        self.field = field
        self.value = value.encode()


class Contribution:
    """What one event adds to one row of one windowed record type: see `rules.Contribution`."""

    def __init__(
        self, given: rules_.Contribution, row: rules_.Row, numbers: dict[str, int]
    ) -> None:
        self.kind = given.kind_index
        self.length = given.length
        self.width = given.width
        self.erp = given.erp
        self.row_fields = bytes([numbers[name] for name in row])
        self.where = _conditions(given.where, numbers)
        self.slots = bytes([slot for slot, _ in given.slots])
        self.slot_fields = bytes([numbers[member] for _, member in given.slots])
        self.first_sum = given.kind_index * MEASURES_MAX


class AtOnce:
    """A record that one event causes at once: see `rules.AtOnce`."""

    def __init__(self, given: rules_.AtOnce, numbers: dict[str, int]) -> None:
        self.record = given.record
        self.short = given.short
        self.head = head_of(given.record)
        self.short_bytes = f"{given.short}:".encode()
        self.event = given.event
        self.where = _conditions(given.where, numbers)
        self.fields = bytes([numbers[name] for name in given.names])
        self.names = [f'"{name}":'.encode() for name in given.names]


class Plan:
    """What becomes of an accepted event of one type."""

    def __init__(self, number: int, event: str, struct: Any, given: rules_.Plan) -> None:
        each: tuple[Member, ...] = members(struct.__annotations__["data"])
        numbers = {member.name: place for place, member in enumerate(each)}
        self.number = number
        self.event = event
        self.event_bytes = event.encode()
        self.packed = b"\x93" + _packed(event)
        self.transaction = struct is not MachineTelemetry
        self.is_reversal = struct is TransactionReversed
        self.is_stop = struct in (DowntimeStarted, DowntimeEnded)
        self.state_field = numbers["state"] if struct is MachineState else NO_FIELD
        self.field_kinds = bytes([KINDS.index(member.kind) for member in each])
        self.field_names = [_packed(member.name) for member in each]
        self.contributions = [
            Contribution(contribution, row, numbers)
            for contribution, row in zip(given.contributions, given.rows, strict=True)
        ]
        self.at_once = [AtOnce(record, numbers) for record in given.at_once]
        telling: set[int] = set()
        for contribution in self.contributions:
            telling.update(contribution.row_fields)
            telling.update(condition.field for condition in contribution.where)
        self.key_fields = bytes(sorted(telling))
        """Fields that tell one row from another."""


def plans_for(rules: rules_.Rules) -> list[Plan]:
    """Return the plans of all event types, in the order of `streams.contract.events.TYPES`."""
    return [
        Plan(number, event, struct, rules.plans[struct])
        for number, (event, struct) in enumerate(TYPES.items())
    ]


def _conditions(where: dict[str, str], numbers: dict[str, int]) -> list[Condition]:
    return [Condition(numbers[name], value) for name, value in where.items()]
