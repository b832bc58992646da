"""What becomes of an accepted event of each type, ready to be followed: made of the rules.

Fields are the members of an event's `data`, by their number. Numbers that are used for each event
lie in `bytes`: they are read from there without an object.
"""

from typing import Any, Final

import msgspec

from streams.contract.events import (
    TYPES,
    DowntimeClassified,
    DowntimeEnded,
    DowntimeStarted,
    HoldPlaced,
    HoldReleased,
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
NO_NUMBER: Final = -1

TOUCHED: Final = frozenset({"production.confirmed.v1", "material.consumed.v1", "scrap.declared.v1"})
"""The event types that a hold keeps from the ERP."""

LOT_CONTROLLED: Final = TOUCHED | {"goods.received.v1"}
"""Those that need a lot where the item is under lot control."""

CHECKED: Final = LOT_CONTROLLED | {
    "operation.started.v1", "operation.completed.v1", "rework.declared.v1", "labor.booked.v1",
    "downtime.started.v1", "downtime.classified.v1",
}  # fmt: skip
"""Those that are held against what is known of their plant."""

SUMMARIES, POSTINGS = 1, 2
"""The parts of what an event adds to rows: those of summaries, those that go to the ERP."""
PARTS: Final = 4

_packed = msgspec.msgpack.Encoder().encode


class Condition:
    """A text that an event has to have in a field."""

    def __init__(self, field: int, value: str) -> None:
        self.field = field
        self.value = value.encode()


class Contribution:
    """What one event adds to one row of one windowed record type: see `rules.Contribution`."""

    def __init__(
        self, given: rules_.Contribution, kind: rules_.Kind, numbers: dict[str, int]
    ) -> None:
        self.kind = given.kind_index
        self.width = given.width
        self.erp = given.erp
        self.row_fields = bytes([numbers[name] for name in kind.row])
        self.where = _conditions(given.where, numbers)
        self.slots = bytes([slot for slot, _ in given.slots])
        self.slot_fields = bytes([numbers[member] for _, member in given.slots])
        self.first_sum = given.kind_index * MEASURES_MAX
        self.uom = kind.uom
        self.first_unit_sum = kind.first_unit_sum


class AtOnce:
    """A record that one event causes at once: see `rules.AtOnce`."""

    def __init__(self, given: rules_.AtOnce, numbers: dict[str, int], rules: rules_.Rules) -> None:
        self.record = given.record
        self.record_bytes = given.record.encode()
        self.short = given.short
        self.head = head_of(given.record)
        self.short_bytes = f"{given.short}:".encode()
        self.event = given.event
        self.where = _conditions(given.where, numbers)
        self.number = next(
            (kind.index for kind in rules.kinds if kind.record == given.record), NO_NUMBER
        )
        """Where `Line.singles` counts it, `NO_NUMBER` if it never goes by window."""
        self.fields = bytes([numbers[name] for name in given.names])
        self.names = [f'"{name}":'.encode() for name in given.names]


class Plan:
    """What becomes of an accepted event of one type, with some record types going by window.

    `number` is that of the type, `cell_number` tells plans apart that know other record types by
    window.
    """

    def __init__(
        self, number: int, event: str, struct: Any, given: rules_.Plan, rules: rules_.Rules,
        by_window: frozenset[str], variant: int,
    ) -> None:  # fmt: skip
        each: tuple[Member, ...] = members(struct.__annotations__["data"])
        numbers = {member.name: place for place, member in enumerate(each)}
        self.number = number
        self.cell_number = PARTS * (variant * len(TYPES) + number)
        self.event = event
        self.event_bytes = event.encode()
        self.packed = b"\x93" + _packed(event)
        self.transaction = struct is not MachineTelemetry
        self.is_reversal = struct is TransactionReversed
        self.is_stop = struct in (DowntimeStarted, DowntimeEnded, DowntimeClassified)
        self.state_field = numbers["state"] if struct is MachineState else NO_FIELD
        data = struct.__annotations__["data"]
        self.print_fields = bytes(numbers[name] for name in data.ORDER or numbers)
        """The fields in the order in which a fingerprint has them."""
        usual = next(iter(data.ABSENT), None)
        self.usual_field = NO_FIELD if usual is None else numbers[usual]
        """A text that isn't part of a fingerprint where it's `usual`: as it's read where absent."""
        self.usual = b"" if usual is None else data.ABSENT[usual].encode()
        self.field_kinds = bytes([KINDS.index(member.kind) for member in each])
        self.field_names = [_packed(member.name) for member in each]
        self.is_hold = struct in (HoldPlaced, HoldReleased)
        self.is_checked = event in CHECKED
        self.needs_lot = event in LOT_CONTROLLED
        self.is_touched = event in TOUCHED
        self.is_consumed = event == "material.consumed.v1"
        self.lot_field = numbers.get("lot", NO_FIELD)
        self.item_field = numbers.get("item", NO_FIELD)
        self.uom_field = numbers.get("uom", NO_FIELD)
        self.order_field = numbers.get("order", NO_FIELD)
        self.work_unit_field = numbers.get("work_unit", NO_FIELD)
        self.reason_field = numbers.get("reason", NO_FIELD)
        self.quantity_field = numbers.get("quantity", NO_FIELD)
        self.serial_field = numbers.get("serial", NO_FIELD)
        self.final_field = numbers.get("final", NO_FIELD)
        self.contributions = [
            Contribution(contribution, rules.kinds[contribution.kind_index], numbers)
            for contribution in given.contributions
            if not contribution.erp or rules.kinds[contribution.kind_index].record in by_window
        ]
        """To rows of windows: of summaries, and of what goes to the ERP by window."""
        singly = [AtOnce(record, numbers, rules) for record in given.singly]
        self.singly = singly
        """What it leaves as where nothing of it goes by window."""
        self.at_once = [record for record in singly if record.record not in by_window]
        self.by_window = [record for record in singly if record.record in by_window]
        """What one with a serial leaves as, and a final one."""
        self.may_be_silent = struct.REVERSIBLE and all(record.where for record in singly)
        """It's reversible, and perhaps sends nothing to the ERP."""
        telling: set[int] = set()
        for contribution in self.contributions:
            telling.update(contribution.row_fields)
            telling.update(condition.field for condition in contribution.where)
        self.key_fields = bytes(sorted(telling))
        """Fields that tell one row from another."""


def plans_for(rules: rules_.Rules, by_window: frozenset[str], variant: int) -> list[Plan]:
    """Return the plans of all event types, in the order of `streams.contract.events.TYPES`."""
    return [
        Plan(number, event, struct, rules.plans[struct], rules, by_window, variant)
        for number, (event, struct) in enumerate(TYPES.items())
    ]


def _conditions(where: dict[str, str], numbers: dict[str, int]) -> list[Condition]:
    return [Condition(numbers[name], value) for name, value in where.items()]
