"""The events of the benchmark's log, in pieces: all that doesn't change from one to the next.

A shape is an event but for its id's number, its time and its measure. The mix is that of a plant's
MES and machines; measures come as MES and machines send them, quoted or not.
"""

from collections.abc import Sequence
from random import Random
from typing import Final, Literal

from msgspec import Struct

from streams.contract.topics import MACHINE_EVENTS, MES_EVENTS

Special = Literal["duplicate", "late", "bad", "downtime"]
"""What isn't made of a shape and three random numbers."""

Shape = tuple[str, bytes, bytes, int, bytes, Sequence[bytes], bytes]
"""Topic, key, head (up to the id's number), sequence of the number, tail (from behind the time up
to the measure), measures to choose from, end."""

SLOTS: Final = 2_000
"""Shares are counted in such parts: what is drawn is one of a list of so many."""

MIX: Final = {
    "machine.state.v1": 0.20,
    "machine.count.v1": 0.20,
    "machine.telemetry.v1": 0.10,
    "material.consumed.v1": 0.20,
    "production.confirmed.v1": 0.12,
    "scrap.declared.v1": 0.05,
    "downtime": 0.04,  # starts and ends
    "labor.booked.v1": 0.05,
    "operation.started.v1": 0.015,
    "operation.completed.v1": 0.015,
    "goods.received.v1": 0.004,
    "rework.declared.v1": 0.003,
    "quality.hold_placed.v1": 0.003,
}
"""Of the events that are neither duplicate nor late nor bad."""

LATE_MIX: Final = {
    "material.consumed.v1": 10,
    "machine.count.v1": 5,
    "scrap.declared.v1": 3,
    "labor.booked.v1": 1,
    "production.confirmed.v1": 1,
}
"""In parts: what comes late, besides ends of stops."""

LATE_FROM_MS: Final = 360_000
LATE_TO_MS: Final = 3_600_000
"""A late event is so much older than its neighbours: 300 s of window, 30 s of grace, and more."""

UNITS: Final = 4
STATES: Final = ("Execute", "Idle", "Held", "Suspended", "Stopped", "Starting", "Completing")
TAGS: Final = ("spindle.temperature", "feed.pressure", "drive.current", "vibration.rms")
SCRAP_REASONS: Final = ("SURFACE", "DIMENSION", "MATERIAL", "HANDLING")
STOP_REASONS: Final = ("JAM", "TOOL", "NO_MATERIAL", "CHANGEOVER")
PERSONS: Final = 6
ACTIVITIES: Final = ("run", "setup")
PLANTS: Final = ("DE01", "DE02", "DE03", "FR01", "FR02", "PL01", "CZ01", "ES01")

NUMBERS: Final = 1 << 14
"""Different measures of a kind."""

NONE: Final = (b"",)
"""The measures of an event that has none."""


class Tables(Struct, frozen=True):
    """Measures to choose from, as they stand in JSON."""

    quoted: list[bytes]
    """Kilograms: "12.345"."""
    decimals: list[bytes]
    """Kilograms and degrees: 12.5, 0.125."""
    pieces: list[bytes]
    seconds: list[bytes]
    counts: list[bytes]
    """Of a machine: good and scrap, two members."""
    holds: list[bytes]


def tables_of(seed: int) -> Tables:
    """Return the measures of a log."""
    random = Random(f"measures {seed}")

    def thousandths(most: int) -> str:
        whole, rest = divmod(1 + int(random.random() * most), 1_000)
        return f"{whole}.{rest:03d}"

    def trimmed(text: str) -> str:
        return text.rstrip("0").rstrip(".")

    return Tables(
        quoted=[f'"{thousandths(50_000)}"'.encode() for _ in range(NUMBERS)],
        decimals=[trimmed(thousandths(90_000)).encode() for _ in range(NUMBERS)],
        pieces=[b"%d" % (1 + int(random.random() * 48)) for _ in range(NUMBERS)],
        seconds=[b"%d" % (30 + int(random.random() * 1_800)) for _ in range(NUMBERS)],
        counts=[
            b'%d,"scrap":%d' % (int(random.random() * 20), int(random.random() * 1.2))
            for _ in range(NUMBERS)
        ],
        holds=[b"%07d" % int(random.random() * 10_000_000) for _ in range(NUMBERS)],
    )


def line_name(line: int, plants: int) -> tuple[str, str]:
    """Return (plant, line) of the line with this number."""
    plant = line % plants
    name = PLANTS[plant] if plant < len(PLANTS) else f"X{plant:03d}"
    return name, f"L{line // plants + 1}"


def shapes_of(
    line: int,
    name: tuple[str, str],
    epoch: int,
    rows: int,
    shares: dict[Special, float],
    tables: Tables,
) -> tuple[list[Shape | Special], list[Shape]]:
    """Return what is drawn from (`SLOTS` entries), and the shapes of late events.

    `epoch` numbers the lots that a line has used: three to an order.
    """
    variants = _variants(line, name, epoch, rows, tables)
    drawn: list[Shape | Special] = []
    for special, share in shares.items():
        drawn += [special] * round(share * SLOTS)
    left = SLOTS - len(drawn)
    for kind, share in MIX.items():
        slots = round(share * left)
        if kind == "downtime":
            drawn += ["downtime"] * slots
        else:
            shapes = variants[kind]
            drawn += [shapes[slot * len(shapes) // slots] for slot in range(slots)]
    filling = variants["machine.state.v1"]
    drawn += filling[:1] * (SLOTS - len(drawn))
    late = [
        shape
        for kind, parts in LATE_MIX.items()
        for part in range(parts * rows)
        for shape in (variants[kind][part % len(variants[kind])],)
    ]
    return drawn[:SLOTS], late


def _variants(
    line: int, name: tuple[str, str], epoch: int, rows: int, tables: Tables
) -> dict[str, list[Shape]]:
    """Return the shapes of a line by type, while one order and its lots are on it."""
    order = 1_000_000 + 10_000 * line + epoch // 3 % 10_000
    product = f"P-{1000 + (line * 37 + epoch // 3 * 11) % 400}"
    routed = f'"order":"{order}","operation":"%s"' % f"00{1 + epoch // 3 % 3}0"
    made = f'{routed},"item":"{product}"'
    lot = f'"lot":"{order}-{epoch % 3 + 1}"'

    def mes(kind: str, data: str, measures: Sequence[bytes] = NONE, end: str = "") -> Shape:
        return _shape(MES_EVENTS, kind, line, name, data, measures, end)

    def machine(kind: str, data: str, measures: Sequence[bytes] = NONE, end: str = "") -> Shape:
        return _shape(MACHINE_EVENTS, kind, line, name, data, measures, end)

    consumed = [
        mes(
            "material.consumed.v1",
            f'{routed},"item":"M-{100 + (line * 5 + part * 17) % 900}",'
            f'"lot":"LOT{1 + (epoch * 31 + line * 7 + part) % 9999:04d}",'
            f'"storage":"S{part % 3 + 1}","quantity":',
            tables.quoted if part % 3 else tables.pieces,
            f',"uom":"{"kg" if part % 3 else "pcs"}"',
        )
        for part in range(rows)
    ]
    return {
        "material.consumed.v1": consumed,
        "production.confirmed.v1": [
            mes(
                "production.confirmed.v1",
                f'{made},"quantity":',
                tables.pieces,
                f',"uom":"pcs",{lot}',
            )
        ],
        "scrap.declared.v1": [
            mes(
                "scrap.declared.v1",
                f'{made},{lot},"quantity":',
                tables.pieces if kind == "operation" else tables.decimals,
                f',"uom":"{"pcs" if kind == "operation" else "kg"}","reason":"{reason}",'
                f'"kind":"{kind}"',
            )
            for reason in SCRAP_REASONS[: 1 + rows // 2]
            for kind in ("operation", "component")
        ],
        "labor.booked.v1": [
            mes(
                "labor.booked.v1",
                f'{routed},"person":"{name[0]}-{1000 + 10 * line + person}","seconds":',
                tables.seconds,
                f',"activity":"{ACTIVITIES[person % 2]}"',
            )
            for person in range(PERSONS)
        ],
        "operation.started.v1": [
            mes("operation.started.v1", f'{made},"work_unit":"{name[1]}-U{unit + 1}"')
            for unit in range(UNITS)
        ],
        "operation.completed.v1": [
            mes("operation.completed.v1", f'{made},"work_unit":"{name[1]}-U{unit + 1}"')
            for unit in range(UNITS)
        ],
        "goods.received.v1": [
            mes(
                "goods.received.v1",
                f'"order":"{order}","item":"{product}",{lot},"quantity":',
                tables.pieces,
                ',"uom":"pcs","storage":"FG1"',
            )
        ],
        "rework.declared.v1": [
            mes(
                "rework.declared.v1",
                f'{made},"quantity":',
                tables.pieces,
                ',"uom":"pcs","reason":"SURFACE"',
            )
        ],
        "quality.hold_placed.v1": [
            mes(
                "quality.hold_placed.v1",
                f'"scope":"lot","value":"{order}-{epoch % 3 + 1}Q","reason":"SPC","hold":"H',
                tables.holds,
                '"',
            )
        ],
        "machine.state.v1": [
            machine(
                "machine.state.v1",
                f'"work_unit":"{name[1]}-U{unit + 1}","state":"{state}","order":"{order}"',
            )
            for unit in range(UNITS)
            for state in STATES
        ],
        "machine.count.v1": [
            machine(
                "machine.count.v1",
                f'"work_unit":"{name[1]}-U{unit + 1}","good":',
                tables.counts,
                f',"order":"{order}","item":"{product}"',
            )
            for unit in range(UNITS)
        ],
        "machine.telemetry.v1": [
            machine(
                "machine.telemetry.v1",
                f'"work_unit":"{name[1]}-U{unit + 1}","tag":"{tag}","value":',
                tables.decimals,
            )
            for unit in range(UNITS)
            for tag in TAGS
        ],
    }


def downtime_shapes(line: int, plant: str, name: str) -> tuple[list[list[Shape]], list[Shape]]:
    """Return the starts of stops by work unit and reason, and the ends by work unit.

    The episode takes the place of the measure.
    """
    begun = [
        [
            _shape(
                MES_EVENTS, "downtime.started.v1", line, (plant, name), '"episode":"', NONE,
                f'","work_unit":"{name}-U{unit + 1}","reason":"{reason}",'
                f'"planned":{"true" if reason == "CHANGEOVER" else "false"}',
            )
            for reason in STOP_REASONS
        ]
        for unit in range(UNITS)
    ]  # fmt: skip
    ended = [
        _shape(
            MES_EVENTS, "downtime.ended.v1", line, (plant, name), '"episode":"', NONE,
            f'","work_unit":"{name}-U{unit + 1}"',
        )
        for unit in range(UNITS)
    ]  # fmt: skip
    return begun, ended


def closing_shapes(line: int, plant: str, name: str) -> tuple[Shape, Shape]:
    """Return the last event of a line on each topic: none that adds to a window."""
    started = '"order":"1","operation":"0010"'
    state = f'"work_unit":"{name}-U1","state":"Stopped"'
    at = line, (plant, name)
    return (
        _shape(MES_EVENTS, "operation.started.v1", *at, started),
        _shape(MACHINE_EVENTS, "machine.state.v1", *at, state),
    )


def _shape(
    topic: str,
    kind: str,
    line: int,
    name: tuple[str, str],
    data: str,
    measures: Sequence[bytes] = NONE,
    end: str = "",
) -> Shape:
    plant, line_name = name
    machine = topic == MACHINE_EVENTS
    source = f"/{plant}/{line_name}/plc" if machine else f"/{plant}/mes"
    head = f'{{"specversion":"1.0","type":"{kind}","source":"{source}","id":"{plant}-{line_name}-'
    tail = f'","plant":"{plant}","line":"{line_name}","data":{{{data}'
    key = f"{plant}/{line_name}".encode()
    sequence = 4 * line + machine
    return topic, key, head.encode(), sequence, tail.encode(), measures, f"{end}}}}}".encode()
