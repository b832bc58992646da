"""The contract, once more, slowly: the oracle that the fast implementation is compared with.

It is written from the contract alone and imports nothing of the project. Every rule is one plain
function with the contract's sentence beside it. Inside, a time is an int of microseconds since the
Unix epoch and a measure an int of billionths, so nothing is ever rounded.

Left out (later parts): `unknown_master`, `held`, `summary.machine_state.v1`.

    python tests/oracle/reference.py LOG.ndjson --out DIR [--partitions N] [--close]
"""

from __future__ import annotations

import argparse
import base64
import heapq
import json
import re
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

M = "mes.events.v1"
E = "machine.events.v1"
ERP = "erp.transactions.v1"
EXCEPTIONS = "exceptions.v1"

SECOND = 10**6  # a time counts microseconds
ONE = 10**9  # a measure counts billionths: "at most 9 decimal places by value"

DEFAULTS: dict[str, Any] = {
    "summary_window_seconds": 60,
    "posting_window_seconds": 300,
    "grace_seconds": 30,
    "idle_grace_seconds": 120,
    "breakdown_seconds": 600,
    "episode_limit_seconds": 86_400,
    "retention_seconds_mes": 604_800,
    "retention_seconds_machine": 86_400,
    "future_seconds_max": 3_600,
    "time_zones": {},
}


# ---------------------------------------------------------------- tables of the contract


def _members(text: str) -> dict[str, tuple[str, bool]]:
    """`order quantity:measure lot?` -> {name: (kind, required)}; a kind not given is a string."""
    found: dict[str, tuple[str, bool]] = {}
    for word in text.split():
        name, _, kind = word.partition(":")
        found[name.rstrip("?")] = (kind or "string", not name.endswith("?"))
    return found


# "Input types" (section 2): type -> (topic, members of data).
TYPES: dict[str, tuple[str, dict[str, tuple[str, bool]]]] = {
    name: (topic, _members(text))
    for name, topic, text in [
        ("operation.started.v1", M, "order operation item? work_unit? operator?"),
        ("operation.completed.v1", M, "order operation item? work_unit?"),
        (
            "production.confirmed.v1",
            M,
            "order operation item quantity:measure uom lot? final?:bool",
        ),
        ("goods.received.v1", M, "order item lot? quantity:measure uom storage?"),
        ("material.consumed.v1", M, "order operation item lot? quantity:measure uom storage?"),
        ("scrap.declared.v1", M, "order operation item lot? quantity:measure uom reason kind:kind"),
        ("rework.declared.v1", M, "order operation item quantity:measure uom reason"),
        ("labor.booked.v1", M, "order operation person seconds:measure activity?"),
        ("downtime.started.v1", M, "episode work_unit reason planned:bool"),
        ("downtime.ended.v1", M, "episode work_unit"),
        ("quality.hold_placed.v1", M, "hold scope:scope value reason severity?"),
        ("quality.hold_released.v1", M, "hold disposition:disposition"),
        (
            "nonconformance.raised.v1",
            M,
            "nonconformance item lot? order? quantity?:measure uom? code severity",
        ),
        ("inspection.completed.v1", M, "inspection lot order? characteristic? result:result"),
        ("transaction.reversed.v1", M, "reverses original:original"),
        ("machine.state.v1", E, "work_unit state:state reason? order? item?"),
        ("machine.count.v1", E, "work_unit good:measure scrap:measure order? item?"),
        ("machine.telemetry.v1", E, "work_unit tag value:any"),
    ]
}
TICK = "clock.tick.v1"
REVERSAL = "transaction.reversed.v1"
TELEMETRY = "machine.telemetry.v1"

CHOICES: dict[str, frozenset[str]] = {
    "kind": frozenset({"operation", "component"}),
    "scope": frozenset({"lot", "order", "item"}),
    "disposition": frozenset({"use", "rework", "scrap", "return"}),
    "result": frozenset({"pass", "fail"}),
    "state": frozenset(
        "Stopped Starting Idle Suspended Execute Stopping Aborting Aborted Holding Held Unholding "
        "Suspending Unsuspending Resetting Completing Complete Clearing".split()
    ),
}

# "Reversible: production.confirmed, goods.received, material.consumed, scrap.declared, ..."
REVERSIBLE = frozenset(
    {
        "production.confirmed.v1",
        "goods.received.v1",
        "material.consumed.v1",
        "scrap.declared.v1",
        "rework.declared.v1",
        "labor.booked.v1",
    }
)

# "at once" rows of the first table of section 4: type -> [(short, outgoing type)], as they leave.
OPERATION_STATUS = ("os", "erp.operation_status.v1")
QUALITY_NOTIFICATION = ("qn", "erp.quality_notification.v1")
STOCK_STATUS = ("st", "erp.stock_status.v1")
AT_ONCE: dict[str, list[tuple[str, str]]] = {
    "production.confirmed.v1": [("pc", "erp.production_confirmation.v1")],
    "goods.received.v1": [("gr", "erp.goods_receipt.v1")],
    "operation.started.v1": [OPERATION_STATUS],
    "operation.completed.v1": [OPERATION_STATUS],
    "quality.hold_placed.v1": [QUALITY_NOTIFICATION, STOCK_STATUS],
    "quality.hold_released.v1": [QUALITY_NOTIFICATION, STOCK_STATUS],
    "nonconformance.raised.v1": [QUALITY_NOTIFICATION],
    "inspection.completed.v1": [QUALITY_NOTIFICATION],  # only `fail`
}


@dataclass(frozen=True)
class Windowed:
    type: str
    short: str
    window: str  # "posting" or "summary"
    row: tuple[str, ...]
    measures: tuple[str, ...]

    @property
    def erp(self) -> bool:
        return self.type.startswith("erp.")

    @property
    def counted(self) -> bool:
        """`count` ... absent for downtime."""
        return not self.erp and self.short != "sd"


# "windowed type" (section 4), in the table's order, which is also the order of closing.
WINDOWED: list[Windowed] = [
    Windowed(type_, short, window, tuple(row.split()), tuple(measures.split()))
    for type_, short, window, row, measures in [
        ("erp.goods_issue.v1", "gi", "posting", "order operation item lot storage uom", "quantity"),
        (
            "erp.scrap_posting.v1",
            "sp",
            "posting",
            "order operation item lot uom reason kind",
            "quantity",
        ),
        ("erp.labor_confirmation.v1", "lc", "posting", "order operation activity", "seconds"),
        (
            "summary.consumption.v1",
            "sc",
            "summary",
            "order operation item lot storage uom",
            "quantity",
        ),
        (
            "summary.scrap.v1",
            "ss",
            "summary",
            "order operation item lot uom reason kind",
            "quantity",
        ),
        ("summary.production.v1", "su", "summary", "order operation item uom", "good scrap rework"),
        ("summary.downtime.v1", "sd", "summary", "work_unit reason planned", "seconds stops"),
        ("summary.machine.v1", "sm", "summary", "work_unit order item", "good scrap"),
    ]
]
INDEX = {windowed.short: index for index, windowed in enumerate(WINDOWED)}
TOPICS = [ERP, *(w.type for w in WINDOWED if not w.erp), EXCEPTIONS]


def contributions(type_: str, data: dict[str, Any]) -> list[tuple[str, dict[str, int]]]:
    """The rows that such an event goes to: (short of the windowed type, {measure: value})."""
    if type_ == "production.confirmed.v1":
        return [("su", {"good": data["quantity"]})]
    if type_ == "material.consumed.v1":
        quantity = {"quantity": data["quantity"]}
        return [("gi", quantity), ("sc", quantity)]
    if type_ == "scrap.declared.v1":
        # "`summary.scrap.v1`; kind `operation` also `summary.production.v1` scrap"
        quantity = {"quantity": data["quantity"]}
        production = [("su", {"scrap": data["quantity"]})] if data["kind"] == "operation" else []
        return [("sp", quantity), ("ss", quantity), *production]
    if type_ == "rework.declared.v1":
        return [("su", {"rework": data["quantity"]})]
    if type_ == "labor.booked.v1":
        return [("lc", {"seconds": data["seconds"]})]
    if type_ == "machine.count.v1":
        return [("sm", {"good": data["good"], "scrap": data["scrap"]})]
    return []


# ---------------------------------------------------------------- reading


class Rejected(Exception):
    """The first check that applies to a record: its code and a sentence."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class Number:
    """A JSON number by its text: neither a giant exponent nor a million digits cost anything."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return self.text


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


_DECODER = json.JSONDecoder(parse_float=Number, parse_int=Number, parse_constant=_no_constant)
_STRING_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_SURROGATE_ESCAPE = re.compile(r"\\u[dD][89a-fA-F]")
DEPTH_MAX = 512


@lru_cache(maxsize=1)  # a bare line is read to be routed, then as a value
def parse_json(value: bytes) -> Any:
    """Strict RFC 8259, or ValueError. Duplicate member names: the last one wins."""
    text = value.decode("utf-8")  # UnicodeDecodeError is a ValueError
    if value.count(b"{") + value.count(b"[") > DEPTH_MAX and depth(text) > DEPTH_MAX:
        raise ValueError(f"nested deeper than {DEPTH_MAX} levels")
    document = _DECODER.decode(text)
    # "a lone surrogate is `malformed`": anywhere, a member's name or a dropped duplicate too.
    if _SURROGATE_ESCAPE.search(text):
        for token in _STRING_TOKEN.findall(text):
            json.loads(token).encode("utf-8")  # UnicodeEncodeError is a ValueError
    return document


def depth(text: str) -> int:
    deepest = level = 0
    for character in _STRING_TOKEN.sub("", text):
        if character in "{[":
            level += 1
            deepest = max(deepest, level)
        elif character in "}]":
            level -= 1
    return deepest


_RFC3339 = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt]([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]+))?"
    r"(?:[Zz]|([+-])([0-9]{2}):([0-9]{2}))"
)
_EPOCH = datetime(1970, 1, 1)


def parse_time(value: Any) -> int | None:
    """RFC 3339 with an offset, cut to the microsecond; None if it can't be read.

    Second 60 and the year 0000 can't be read; the instant lies in the years 1 to 9999 of UTC.
    """
    match = _RFC3339.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return None
    year, month, day, hour, minute, second = (int(match[i]) for i in range(1, 7))
    offset_hours, offset_minutes = int(match[9] or 0), int(match[10] or 0)
    if offset_hours > 23 or offset_minutes > 59:
        return None
    offset = timedelta(hours=offset_hours, minutes=offset_minutes)
    try:
        local = datetime(year, month, day, hour, minute, second)
        utc = local + offset if match[8] == "-" else local - offset
    except (ValueError, OverflowError):
        return None
    micros = int((match[7] or "")[:6].ljust(6, "0"))
    return (utc - _EPOCH) // timedelta(microseconds=1) + micros


_JSON_NUMBER = re.compile(r"(-?)(0|[1-9][0-9]*)(?:\.([0-9]+))?(?:[eE]([+-]?)([0-9]+))?")


def parse_measure(value: Any) -> int | None:
    """ "a JSON number, or a string in the grammar of a JSON number; less than 10^15 in size, at
    most 9 decimal places by value", in billionths; None if it isn't one."""
    text = value.text if isinstance(value, Number) else value
    match = _JSON_NUMBER.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        return None
    whole, fraction, exponent = match[2], match[3] or "", (match[5] or "").lstrip("0")
    digits = (whole + fraction).lstrip("0")
    if not digits:
        return 0  # 0e999999999 is nought as well
    if len(exponent) > 6:
        return None  # 64 KiB of digits can't make up for it
    power = int(f"{match[4] or ''}{exponent or 0}") - len(fraction)
    power += len(digits) - len(digits.rstrip("0"))
    digits = digits.rstrip("0")
    if len(digits) + power > 15 or power < -9:
        return None
    size: int = int(digits) * 10 ** (power + 9)
    return -size if match[1] else size


_CONTROL = re.compile("[\u0000-\u001f\u007f-\u009f]")  # Unicode's category Cc


def is_text(value: Any, limit: int = 256) -> bool:
    """1 to 256 characters, no control character"""
    return isinstance(value, str) and 1 <= len(value) <= limit and not _CONTROL.search(value)


def is_place(value: Any) -> bool:
    """`plant` and `line`: 1 to 128 characters, no `/`, no control character."""
    return is_text(value, 128) and "/" not in value


def shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 100 else text[:100] + "..."


def decode_member(kind: str, value: Any) -> Any:
    """The decoded value, or None if it is ill-typed."""
    if kind == "string":
        return value if is_text(value) else None
    if kind == "measure":
        return parse_measure(value)
    if kind == "bool":
        return value if isinstance(value, bool) else None
    if kind == "original":  # "a reversal's `original` only: an object"
        return Original(value) if isinstance(value, dict) else None
    return value if isinstance(value, str) and value in CHOICES[kind] else None


def decode_data(type_: str, data: Any) -> dict[str, Any]:
    """The known members that are present, decoded. Rejected as `invalid` if data is against section
    2.

    "Unknown attributes and unknown members of `data` are ignored, never compared, never passed on";
    "A member that is `null` is absent"; final: "absent = false".
    """
    if not isinstance(data, dict):
        raise Rejected("invalid", f"data {shown(data)} is not an object")
    decoded: dict[str, Any] = {}
    for name, (kind, required) in TYPES[type_][1].items():
        if kind == "any":  # telemetry's value: "any JSON, null too, but there"
            if name not in data:
                raise Rejected("invalid", f"{name} is missing")
            continue
        value = data.get(name)
        if value is None:
            if required:
                raise Rejected("invalid", f"{name} is missing")
            continue
        member = decode_member(kind, value)
        if member is None:
            raise Rejected("invalid", f"{name} {shown(value)} is not a {kind}")
        if name == "final" and member is False:
            continue
        decoded[name] = member
    return decoded


class Original:
    """A reversal's `original`: "compared decoded, like `data`". One that can't be read equals
    nothing."""

    def __init__(self, value: dict[str, Any]) -> None:
        self.type = value.get("type")
        self.event: tuple[str, int, dict[str, Any]] | None = None
        if isinstance(self.type, str) and self.type in REVERSIBLE:
            time = parse_time(value.get("time"))
            try:
                data = decode_data(self.type, value.get("data"))
            except Rejected:
                return
            if time is not None:
                self.event = (self.type, time, data)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Original) and self.event is not None and self.event == other.event

    __hash__ = None  # type: ignore[assignment]


# ---------------------------------------------------------------- writing


def time_text(time: int) -> str:
    """RFC 3339 in UTC with `Z`: no fraction, or six digits of it. (The contract leaves that open.)

    Only --close can meet an instant outside the years 1 to 9999 (the end of the last window):
    clamped.
    """
    return _datetime(time).isoformat() + "Z"


def _datetime(time: int) -> datetime:
    try:
        return _EPOCH + timedelta(microseconds=time)
    except OverflowError:
        return datetime.max if time > 0 else datetime.min


def measure_text(value: int) -> str:
    """plain notation without trailing zeros ("12.5", "3", "-0.25")"""
    whole, fraction = divmod(abs(value), ONE)
    text = f"{whole}.{fraction:09d}".rstrip("0").rstrip(".")
    return "-" + text if value < 0 else text


def component(value: Any) -> str:
    """ "an absent member is the empty string, booleans are `true`/`false`, and `%`, `|` and `:`
    inside any component are percent-encoded"."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value).replace("%", "%25").replace("|", "%7C").replace(":", "%3A")


# ---------------------------------------------------------------- state


@dataclass
class Entry:
    """What the ledger keeps of an accepted event."""

    time: int
    fingerprint: tuple[str, int, dict[str, Any]]
    reversed: bool = False


@dataclass
class Row:
    measures: list[int]
    count: int = 0
    causes: list[str] = field(default_factory=list)
    cause_count: int = 0


@dataclass
class Episode:
    episode: str
    work_unit: str
    reason: str = ""
    planned: bool = False
    start: int | None = None
    start_id: str = ""
    end: int | None = None
    notified: bool = False


# A close: (window's end, index of the windowed type). It holds: (own window's start, row) -> Row.
Close = tuple[int, int]
Rows = dict[tuple[int, tuple[Any, ...]], Row]


@dataclass
class Line:
    plant: str
    line: str
    watermark: int | None = None
    ledger: dict[tuple[str, str], Entry] = field(default_factory=dict)
    open: dict[Close, Rows] = field(default_factory=dict)
    posting_closed_to: int | None = None  # the greatest end of a closed posting window
    summary_closed_to: int | None = None  # the greatest end of a closed summary window
    episodes: dict[str, Episode] = field(default_factory=dict)  # what check 15 looks up
    running: list[Episode] = field(
        default_factory=list
    )  # started, and windows of theirs may be open
    notices: list[tuple[int, str, int, Episode]] = field(
        default_factory=list
    )  # heap: start, episode

    @property
    def place(self) -> str:
        return f"{component(self.plant)}/{component(self.line)}"


@dataclass
class Event:
    type: str
    source: str
    id: str
    time: int
    plant: str
    line: str
    data: dict[str, Any]


@dataclass
class Record:
    """One record of an input topic. A timestamp is in microseconds; None where there is none."""

    topic: str
    partition: int
    offset: int
    timestamp: int | None
    key: str | None
    value: bytes
    headers: list[tuple[str, str | None]]


@dataclass
class Result:
    """topics: only those that got a record; a topic's records in the order in which they left."""

    topics: dict[str, list[dict[str, Any]]]
    counts: dict[str, int]
    codes: Counter[str]
    passed_over: int


# ---------------------------------------------------------------- the checks


VALUE_BYTES_MAX = 64 * 1024


def read_envelope(record: Record) -> dict[str, Any]:
    """Check 1: "larger than 64 KiB, not UTF-8, not a JSON object"; structured or binary mode."""
    if len(record.value) > VALUE_BYTES_MAX:
        raise Rejected("malformed", f"value of {len(record.value)} bytes is larger than 64 KiB")
    try:
        document = parse_json(record.value)
    except ValueError as error:
        raise Rejected("malformed", f"value is not JSON: {error}") from None
    if not isinstance(document, dict):
        raise Rejected("malformed", "value is not a JSON object")
    # "Binary mode (a `ce_specversion` header; attributes in `ce_*` headers, `data` as the value)"
    # "unless its `content-type` says that the value is a whole CloudEvent"
    whole = any(
        name == "content-type" and re.match("application/cloudevents", value or "", re.IGNORECASE)
        for name, value in record.headers
    )
    if not whole and any(name == "ce_specversion" for name, _ in record.headers):
        envelope: dict[str, Any] = {n[3:]: v for n, v in record.headers if n.startswith("ce_")}
        envelope["data"] = document
        return envelope
    return document


def read_event(type_: str, envelope: dict[str, Any]) -> Event:
    """Check 5: "envelope or data against section 2"."""
    if envelope.get("specversion") != "1.0":
        raise Rejected("invalid", f"specversion {shown(envelope.get('specversion'))} is not '1.0'")
    for name in ("source", "id"):
        if not is_text(envelope.get(name)):
            raise Rejected("invalid", f"{name} {shown(envelope.get(name))} is not 1-256 characters")
    for name in ("plant", "line"):
        if not is_place(envelope.get(name)):
            raise Rejected("invalid", f"{name} {shown(envelope.get(name))} is not 1-128 characters")
    time = parse_time(envelope.get("time"))
    if time is None:
        raise Rejected("invalid", f"time {shown(envelope.get('time'))} is not RFC 3339")
    data = decode_data(type_, envelope.get("data"))
    return Event(
        type_, envelope["source"], envelope["id"], time, envelope["plant"], envelope["line"], data
    )


class Task:
    """ "Each input partition is one log with one task and one state"."""

    def __init__(self, topic: str, settings: Mapping[str, Any], job: Job) -> None:
        self.topic = topic
        self.settings = settings
        self.job = job
        self.lines: dict[tuple[str, str], Line] = {}
        self.grace: int = settings["grace_seconds"] * SECOND
        self.breakdown: int = settings["breakdown_seconds"] * SECOND
        self.limit: int = settings["episode_limit_seconds"] * SECOND
        self.length: dict[str, int] = {
            "posting": settings["posting_window_seconds"] * SECOND,
            "summary": settings["summary_window_seconds"] * SECOND,
        }
        retention = "retention_seconds_mes" if topic == M else "retention_seconds_machine"
        self.retention: int = settings[retention] * SECOND

    def take(self, record: Record) -> None:
        """ "Every input record ends as exactly one of accepted, duplicate, exception, tick"."""
        envelope: dict[str, Any] = {}
        try:
            envelope = read_envelope(record)  # 1
            outcome = self.judge(record, envelope)
        except Rejected as rejected:
            self.job.raise_exception(record, envelope, rejected)
            outcome = "exception"
        self.job.counts[outcome] += 1

    def judge(self, record: Record, envelope: dict[str, Any]) -> str:
        """ "What becomes of a record: the first that applies", checks 2 to 16."""
        type_ = envelope.get("type")
        if not isinstance(type_, str):  # 2
            raise Rejected("invalid", f"type {shown(type_)} is not a string")
        if type_ == TICK:  # 4
            self.tick(record, envelope)
            return "tick"
        if type_ not in TYPES or TYPES[type_][0] != record.topic:  # 3
            raise Rejected("unknown_type", f"type {shown(type_)} is not known on {record.topic}")
        event = read_event(type_, envelope)  # 5
        if record.key != f"{event.plant}/{event.line}":  # 6
            raise Rejected("key_mismatch", f"key {shown(record.key)} is not plant/line")
        self.check_future(record, event.time)  # 7

        line = self.lines.get((event.plant, event.line)) or Line(event.plant, event.line)
        identity = (event.source, event.id)
        fingerprint = (event.type, event.time, event.data)
        if type_ != TELEMETRY:
            if line.watermark is not None and event.time < line.watermark - self.retention:  # 8
                raise Rejected("too_old", f"time {time_text(event.time)} is before the retention")
            entry = self.entry(line, identity)
            if entry is not None:
                if entry.fingerprint == fingerprint:  # 9
                    return "duplicate"
                raise Rejected("key_conflict", f"id {shown(event.id)} was accepted otherwise")  # 10
        original = self.check_reversal(line, event) if type_ == REVERSAL else None  # 11 to 14
        episode = self.check_episode(line, event)  # 15

        # 16: "Only an accepted event enters the ledger, raises the watermark and makes a line
        # seen."
        self.lines[event.plant, event.line] = line
        if type_ != TELEMETRY:
            line.ledger[identity] = Entry(event.time, fingerprint)
        if original is not None:
            original.reversed = True
        # "What one accepted event does, in order": the watermark, closes, notifications, itself.
        self.raise_watermark(line, event.time)
        if type_ == REVERSAL:
            self.fold_reversal(line, event)
        elif type_ in ("downtime.started.v1", "downtime.ended.v1"):
            self.fold_downtime(line, event, episode)
        else:
            self.fold(line, event.type, event.time, event.data, event.id, 1)
            self.send_at_once(line, event)
        return "accepted"

    def tick(self, record: Record, envelope: dict[str, Any]) -> None:
        """Check 4; "a tick raises it to tick `time` - `idle_grace` if that is higher, on each line
        seen before the tick"."""
        time = parse_time(envelope.get("time"))
        if time is None:
            raise Rejected("invalid", f"time {shown(envelope.get('time'))} is not RFC 3339")
        self.check_future(record, time)
        for line in self.lines.values():
            self.raise_watermark(line, time - self.settings["idle_grace_seconds"] * SECOND)

    def check_future(self, record: Record, time: int) -> None:
        """Check 7: "`time` more than one hour (setting) past the Kafka record timestamp"."""
        limit = self.settings["future_seconds_max"] * SECOND
        if record.timestamp is not None and time - record.timestamp > limit:
            raise Rejected("from_the_future", f"time {time_text(time)} is past the timestamp")

    def entry(self, line: Line, identity: tuple[str, str]) -> Entry | None:
        """ "An entry counts as long as its `time` >= watermark (before the event) - retention"."""
        entry = line.ledger.get(identity)
        if entry is None or line.watermark is None or entry.time < line.watermark - self.retention:
            return None
        return entry

    def check_reversal(self, line: Line, event: Event) -> Entry:
        """Checks 11 to 14; the original is one "of the same line and `source`"."""
        reverses, original = event.data["reverses"], event.data["original"]
        entry = self.entry(line, (event.source, reverses))
        if entry is None:
            raise Rejected("unknown_reversal", f"reverses {shown(reverses)} is not in the ledger")
        if not (isinstance(original.type, str) and original.type in REVERSIBLE):
            raise Rejected("not_reversible", f"original.type {shown(original.type)} isn't one")
        if original.event is None or original.event != entry.fingerprint:
            raise Rejected("reversal_mismatch", f"original of {shown(reverses)} was not accepted")
        if entry.reversed:
            raise Rejected("already_reversed", f"reverses {shown(reverses)} was reversed already")
        return entry

    def check_episode(self, line: Line, event: Event) -> Episode | None:
        """Check 15: "its episode has that start or end already, another `work_unit`, or an end
        before its start". Returns the episode as remembered; the event is then folded into this
        one."""
        if not event.type.startswith("downtime."):
            return None
        episode = line.episodes.get(event.data["episode"])
        if episode is None or self.forgotten(line, episode):
            return None
        starts = event.type == "downtime.started.v1"
        start = event.time if starts else episode.start
        end = episode.end if starts else event.time
        if (episode.start if starts else episode.end) is not None:
            wrong = "has this already"
        elif episode.work_unit != event.data["work_unit"]:
            wrong = f"has work_unit {shown(episode.work_unit)}"
        elif start is not None and end is not None and end < start:
            wrong = "would end before its start"
        else:
            return episode
        raise Rejected("episode_conflict", f"episode {shown(event.data['episode'])} {wrong}")

    def forgotten(self, line: Line, episode: Episode) -> bool:
        """ "An episode is forgotten when its end, or where none is known its start + 24 h, is
        before the watermark - retention"."""
        last = episode.end if episode.end is not None else (episode.start or 0) + self.limit
        return line.watermark is not None and last < line.watermark - self.retention

    # ------------------------------------------------------------ time

    def raise_watermark(self, line: Line, time: int) -> None:
        """ "It never falls"; "windows whose end + grace the watermark has reached close; due
        maintenance notifications leave, by start, then episode"."""
        if line.watermark is not None and time <= line.watermark:
            return
        line.watermark = time
        posting = self.closed_to(line, "posting")
        summary = self.closed_to(line, "summary")
        if (posting, summary) != (line.posting_closed_to, line.summary_closed_to):
            self.close(line, posting, summary)
        while line.notices and line.notices[0][0] + self.breakdown <= time:
            episode = heapq.heappop(line.notices)[3]
            if episode.end is None:  # "while no end is known"
                self.notify(line, episode)

    def window(self, kind: str, time: int) -> int:
        """The start of the window that holds this time: "aligned to the Unix epoch in UTC"."""
        return time // self.length[kind] * self.length[kind]

    def closed_to(self, line: Line, kind: str) -> int:
        """The greatest window end with end + grace <= watermark: the watermark alone tells."""
        assert line.watermark is not None
        return self.window(kind, line.watermark - self.grace)

    def is_closed(self, line: Line, kind: str, start: int) -> bool:
        return start + self.length[kind] <= self.closed_to(line, kind)

    def close(self, line: Line, posting: int, summary: int) -> None:
        """Close every window that ends at or before `posting` or `summary`, by its kind.

        "Windows close in the order of their ends, those of one end in the order of the table above"
        """
        upto = {"posting": posting, "summary": summary}
        due: dict[Close, Rows] = {}
        for close in list(line.open):
            if close[0] <= upto[WINDOWED[close[1]].window]:
                due[close] = line.open.pop(close)
        # Episodes: each window that closes now gets what is known of them by now. The share of a
        # window closed before an episode was learnt was carried when it was folded.
        since = line.summary_closed_to
        for episode in line.running:
            for start, share in self.shares(episode, since, summary).items():
                end = start + self.length["summary"]
                self.add_downtime(due.setdefault((end, INDEX["sd"]), {}), start, episode, share)
        line.posting_closed_to, line.summary_closed_to = posting, summary
        line.running = [e for e in line.running if self.shares(e, summary)]
        for close in sorted(due):
            self.send_rows(line, close, due[close])

    def close_everything(self) -> None:
        """`--close` closes the windows still open at the end of the log.

        The reading chosen: nothing happens but closes, in their order: the watermark isn't raised,
        so no notification falls due. Every window that holds something lies at or before the window
        (of its kind) that holds the watermark; all up to this one close, and as at any close an
        episode still open counts up to each window's end (or its start + 24 h), so here to the end
        of that window.
        """
        for line in self.lines.values():
            assert line.watermark is not None
            posting = self.window("posting", line.watermark) + self.length["posting"]
            summary = self.window("summary", line.watermark) + self.length["summary"]
            self.close(line, posting, summary)
            assert not line.open

    # ------------------------------------------------------------ folding

    def carrier(self, line: Line, kind: str, start: int) -> int:
        """The window that a window's contribution leaves with: itself, or if it is closed "the
        window (of the same kind and length) that holds the watermark at the moment of its folding".
        """
        assert line.watermark is not None
        return self.window(kind, line.watermark) if self.is_closed(line, kind, start) else start

    def rows(self, line: Line, windowed: Windowed, start: int) -> Rows:
        end = self.carrier(line, windowed.window, start) + self.length[windowed.window]
        return line.open.setdefault((end, INDEX[windowed.short]), {})

    def fold(
        self, line: Line, type_: str, time: int, data: dict[str, Any], cause: str, sign: int
    ) -> None:
        """Add an event (sign 1) or take it back (sign -1) in the windows that hold its time."""
        for short, measures in contributions(type_, data):
            windowed = WINDOWED[INDEX[short]]
            start = self.window(windowed.window, time)
            members = tuple(data.get(name) for name in windowed.row)
            row = self.rows(line, windowed, start).setdefault(
                (start, members), Row([0] * len(windowed.measures))
            )
            for index, name in enumerate(windowed.measures):
                row.measures[index] += sign * measures.get(name, 0)
            row.count += sign  # "accepted events in the row, reversals counted -1"
            row.cause_count += 1
            if len(row.causes) < 20:  # "the `id`s of the first 20 inputs, in log order"
                row.causes.append(cause)

    def fold_reversal(self, line: Line, event: Event) -> None:
        """ "of a confirmation or receipt, at once: `erp.reversal.v1`; of the others nothing of its
        own"; "the original's rows, negative, at the original's time"."""
        type_, time, data = event.data["original"].event
        self.fold(line, type_, time, data, event.id, -1)
        for short, _ in AT_ONCE.get(type_, []):
            key = self.at_once_key(line, short, event.source, event.data["reverses"])
            self.send_reversal(line, event, key)

    # ------------------------------------------------------------ downtime

    def shares(
        self, episode: Episode, since: int | None = None, upto: int | None = None
    ) -> dict[int, tuple[int, int]]:
        """ "an episode's seconds fall into the windows that it overlaps, for at most 24 h (setting)
        from its start": window start -> (microseconds, stops), by what is known of the episode; of
        the windows that start at or after `since` and end at or before `upto`.

        One that is still open counts as if it lasted the 24 h: only windows that are closed, or
        close, are looked at, and in these "an episode still open counts up to the window's end".
        """
        if episode.start is None:
            return {}
        length = self.length["summary"]
        end = episode.start + self.limit
        if episode.end is not None:
            end = min(end, episode.end)
        first = self.window("summary", episode.start)
        begin = first if since is None else max(first, since)
        # One that ends as it starts is a stop of its window all the same.
        stop = max(end, first + length)
        if upto is not None:
            stop = min(stop, upto)
        return {
            start: (
                min(end, start + length) - max(episode.start, start),
                1 if start == first else 0,  # "stops (episodes that started in the window)"
            )
            for start in range(begin, stop, length)
        }

    def add_downtime(
        self, rows: Rows, start: int, episode: Episode, share: tuple[int, int]
    ) -> None:
        members = (episode.work_unit, episode.reason, episode.planned)
        row = rows.setdefault((start, members), Row([0, 0]))
        row.measures[0] += share[0] * (ONE // SECOND)
        row.measures[1] += share[1] * ONE

    def fold_downtime(self, line: Line, event: Event, episode: Episode | None) -> None:
        """ "Whatever is learnt later of a closed window (a late start, an end before that window's
        end) is the difference, carried like any late event. An `ended` without a `started` waits
        for it."."""
        if episode is None:
            episode = Episode(event.data["episode"], event.data["work_unit"])
            line.episodes[episode.episode] = episode
        before = self.shares(episode)
        if event.type == "downtime.started.v1":
            episode.start, episode.start_id = event.time, event.id
            episode.reason, episode.planned = event.data["reason"], event.data["planned"]
            line.running.append(episode)
        else:
            episode.end = event.time
        after = self.shares(episode)
        for start in sorted(before.keys() | after.keys()):
            old, new = before.get(start, (0, 0)), after.get(start, (0, 0))
            share = (new[0] - old[0], new[1] - old[1])
            if share != (0, 0) and self.is_closed(line, "summary", start):
                self.add_downtime(
                    self.rows(line, WINDOWED[INDEX["sd"]], start), start, episode, share
                )
        self.maintain(line, event, episode)

    def maintain(self, line: Line, event: Event, episode: Episode) -> None:
        """ "an unplanned episode is notified as soon as the watermark reaches its start +
        `breakdown_seconds` while no end is known, or when it is learnt (by its start or end) that
        it lasted that long"; "If an end that is learnt later shows that it was shorter, one
        `erp.reversal.v1` takes it back, at once."."""
        if episode.start is None or episode.planned:
            return
        assert line.watermark is not None
        due = episode.start + self.breakdown
        if episode.end is None and line.watermark < due:
            item = (episode.start, episode.episode, self.job.next_number(), episode)
            heapq.heappush(line.notices, item)
        elif episode.end is None or episode.end >= due:
            self.notify(line, episode)
        elif episode.notified:
            self.send_reversal(line, event, self.notice_key(line, episode))

    def notify(self, line: Line, episode: Episode) -> None:
        """ "once per unplanned episode"; `time` = start + `breakdown_seconds`; "its cause is its
        `started`"."""
        if episode.notified:
            return
        episode.notified = True
        assert episode.start is not None
        time = episode.start + self.breakdown
        data = {
            "episode": episode.episode,
            "work_unit": episode.work_unit,
            "reason": episode.reason,
        }
        data |= self.common(line, [episode.start_id], 1, time)
        type_ = "erp.maintenance_notification.v1"
        self.send(ERP, line, type_, self.notice_key(line, episode), time, data)

    # ------------------------------------------------------------ sending

    def send(
        self, topic: str, line: Line, type_: str, key: str, time: int, data: dict[str, Any]
    ) -> None:
        """ "Every outgoing record is a CloudEvent with `source` `/lineside`, `plant` and `line`;
        its `id` is its posting key."."""
        record = {
            "specversion": "1.0",
            "type": type_,
            "source": "/lineside",
            "id": key,
            "time": time_text(time),
            "plant": line.plant,
            "line": line.line,
            "data": data,
        }
        self.job.topics.setdefault(topic, []).append(record)

    def common(self, line: Line, causes: list[str], count: int, dated: int) -> dict[str, Any]:
        """ "`causes`, `cause_count`, `posting_date`"; the date "in the plant's time zone, UTC
        unless set"."""
        date = self.job.posting_date(line.plant, dated)
        return {"causes": causes, "cause_count": count, "posting_date": date}

    def at_once_key(self, line: Line, short: str, source: str, id_: str) -> str:
        return f"{short}:{line.place}:{component(source)}|{component(id_)}"

    def notice_key(self, line: Line, episode: Episode) -> str:
        return f"mn:{line.place}:{component(episode.episode)}"

    def send_at_once(self, line: Line, event: Event) -> None:
        """ "the input's members (known ones, present ones; `final` only if true), os, qn and st
        also `event` = the input's type, + common"."""
        if event.type == "inspection.completed.v1" and event.data["result"] != "fail":
            return
        for short, type_ in AT_ONCE.get(event.type, []):
            data = {
                name: measure_text(value) if TYPES[event.type][1][name][0] == "measure" else value
                for name, value in event.data.items()
            }
            if short in ("os", "qn", "st"):
                data["event"] = event.type
            data |= self.common(line, [event.id], 1, event.time)
            key = self.at_once_key(line, short, event.source, event.id)
            self.send(ERP, line, type_, key, event.time, data)

    def send_reversal(self, line: Line, event: Event, key: str) -> None:
        """ "`rv:` + the posting key of what it reverses | the event's | `reverses` = that posting
        key, + common"."""
        data = {"reverses": key} | self.common(line, [event.id], 1, event.time)
        self.send(ERP, line, "erp.reversal.v1", f"rv:{key}", event.time, data)

    def send_rows(self, line: Line, close: Close, rows: Rows) -> None:
        """ "the rows of one close leave sorted by `id` (as UTF-8 bytes)"."""
        windowed = WINDOWED[close[1]]
        length = self.length[windowed.window]
        leaving: list[tuple[bytes, str, int, dict[str, Any]]] = []
        for (start, members), row in rows.items():
            # "An ERP row whose measures are all zero isn't sent; a summary row not if its count (if
            # it has one) is zero as well."
            if not any(row.measures) and not (windowed.counted and row.count):
                continue
            # "(carrier start - window start) / length: how many windows late"
            revision = (close[0] - length - start) // length
            data = {n: v for n, v in zip(windowed.row, members, strict=True) if v is not None}
            for name, value in zip(windowed.measures, row.measures, strict=True):
                data[name] = measure_text(value)
            data["window_start"] = time_text(start)
            data["window_end"] = time_text(start + length)
            data["revision"] = revision
            if windowed.erp:
                data |= self.common(line, row.causes, row.cause_count, start)
            elif windowed.counted:
                data["count"] = row.count
            joined = "|".join(component(member) for member in members)
            key = f"{windowed.short}:{line.place}:{start // SECOND}:{joined}:{revision}"
            leaving.append((key.encode(), key, start + length, data))
        for _, key, end, data in sorted(leaving, key=lambda item: item[0]):
            self.send(ERP if windowed.erp else windowed.type, line, windowed.type, key, end, data)


# ---------------------------------------------------------------- the whole job


class Job:
    def __init__(self, partitions: int, settings: Mapping[str, Any]) -> None:
        self.partitions = partitions
        self.settings = {**DEFAULTS, **settings}
        unknown = self.settings.keys() - DEFAULTS.keys()
        if unknown:
            raise ValueError(f"settings {sorted(unknown)} are not known")
        self.topics: dict[str, list[dict[str, Any]]] = {}
        self.counts = {"accepted": 0, "duplicate": 0, "exception": 0, "tick": 0}
        self.codes: Counter[str] = Counter()
        self.passed_over = 0
        self.tasks: dict[tuple[str, int], Task] = {}
        self.offsets: Counter[tuple[str, int]] = Counter()  # of bare lines
        self.number = 0

    def next_number(self) -> int:
        self.number += 1
        return self.number

    def take(self, record: Record) -> None:
        task = self.tasks.get((record.topic, record.partition))
        if task is None:
            task = Task(record.topic, self.settings, self)
            self.tasks[record.topic, record.partition] = task
        task.take(record)

    def posting_date(self, plant: str, time: int) -> str:
        zone = self.settings["time_zones"].get(plant)
        moment = _datetime(time).replace(tzinfo=UTC)
        if zone is not None:
            try:
                moment = moment.astimezone(ZoneInfo(zone))
            except OverflowError:
                pass  # the first or the last day of the calendar: its date in UTC
        return moment.date().isoformat()

    def raise_exception(self, record: Record, envelope: dict[str, Any], rejected: Rejected) -> None:
        """Section 6. `class`: "`business` for checks 11 to 15, `data` for the others"."""
        business = {
            "unknown_reversal",
            "not_reversible",
            "reversal_mismatch",
            "already_reversed",
            "episode_conflict",
        }
        self.codes[rejected.code] += 1
        out: dict[str, Any] = {
            "specversion": "1.0",
            "type": "exception.raised.v1",
            "source": "/lineside",
            "id": f"{record.topic}/{record.partition}/{record.offset}",
        }
        if record.timestamp is not None:  # "`time` = the record timestamp where there is one"
            out["time"] = time_text(record.timestamp)
        for name in ("plant", "line"):  # "where they could be read"
            if is_place(envelope.get(name)):
                out[name] = envelope[name]
        out["data"] = {
            "class": "business" if rejected.code in business else "data",
            "code": rejected.code,
            "reason": rejected.reason,
            "topic": record.topic,
            "partition": record.partition,
            "offset": record.offset,
            "key": record.key,
            "value": base64.b64encode(record.value).decode(),
            "headers": [{"name": name, "value": value} for name, value in record.headers],
        }
        self.topics.setdefault(EXCEPTIONS, []).append(out)

    # ------------------------------------------------------------ section 8: lines of a file

    def take_line(self, line: bytes) -> None:
        """ "An object with `topic` and `payload` is the latter": a record of `kcat -J`."""
        try:
            document = parse_json(line)
        except ValueError:
            document = None
        if isinstance(document, dict) and "topic" in document and "payload" in document:
            if document["topic"] in (M, E):
                self.take(self.kcat_record(document))
            else:  # "other topics than M and E are passed over and counted apart"
                self.passed_over += 1
            return
        for record in self.bare_records(line, document):
            self.take(record)

    def bare_records(self, line: bytes, document: Any) -> Iterator[Record]:
        """ "routed by its type: `machine.*` to E, all else to M; keyed by its plant and line; no
        record timestamp; a `clock.tick.v1` goes to every partition of both". One that isn't
        readable goes to partition 0 of M, without a key."""
        envelope = document if isinstance(document, dict) else {}
        type_, plant, place = (envelope.get(name) for name in ("type", "plant", "line"))
        key = f"{plant}/{place}" if isinstance(plant, str) and isinstance(place, str) else None
        topic = E if isinstance(type_, str) and type_.startswith("machine.") else M
        partition = zlib.crc32(key.encode()) % self.partitions if key is not None else 0
        targets = [(topic, partition)]
        if type_ == TICK:
            targets = [(each, number) for each in (M, E) for number in range(self.partitions)]
        for target in targets:
            # "Bare lines get offsets from 0 per partition."
            yield Record(*target, self.next_offset(target), None, key, line, [])

    def next_offset(self, target: tuple[str, int]) -> int:
        self.offsets[target] += 1
        return self.offsets[target] - 1

    def kcat_record(self, document: dict[str, Any]) -> Record:
        """Headers come as a flat list [name, value, name, value ...]; `ts` -1 or absent is no
        timestamp; a payload that is null is an empty value. Ill-typed fields, which kcat never
        prints, count as absent."""
        partition = whole(document.get("partition")) or 0
        offset = whole(document.get("offset"))
        if offset is None:
            offset = self.next_offset((document["topic"], partition))
        milliseconds = whole(document.get("ts"))
        key, payload, flat = (document.get(name) for name in ("key", "payload", "headers"))
        headers: list[tuple[str, str | None]] = []
        if isinstance(flat, list):
            for name, value in zip(flat[::2], flat[1::2], strict=False):
                if isinstance(name, str):
                    headers.append((name, value if isinstance(value, str) else None))
        return Record(
            document["topic"],
            partition,
            offset,
            milliseconds * 1000 if milliseconds is not None and milliseconds >= 0 else None,
            key if isinstance(key, str) else None,
            payload.encode() if isinstance(payload, str) else b"",
            headers,
        )


def whole(value: Any) -> int | None:
    """A JSON number that is a 64-bit integer, else None."""
    if isinstance(value, Number) and re.fullmatch(r"-?[0-9]{1,19}", value.text):
        return int(value.text)
    return None


def replay(
    lines: Iterable[bytes],
    partitions: int = 1,
    close: bool = False,
    settings: Mapping[str, Any] | None = None,
) -> Result:
    """What would leave, had this log come in? `lines` as a file open in binary mode gives them."""
    job = Job(partitions, settings or {})
    for line in lines:
        line = line.removesuffix(b"\n")
        if line.strip():  # "Blank lines are skipped."
            job.take_line(line)
    if close:
        for task in job.tasks.values():
            task.close_everything()
    return Result(job.topics, job.counts, job.codes, job.passed_over)


def main() -> None:
    parser = argparse.ArgumentParser(description="Replay a log through the reference.")
    parser.add_argument("log", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--partitions", type=int, default=1)
    parser.add_argument("--close", action="store_true")
    arguments = parser.parse_args()
    with arguments.log.open("rb") as lines:
        result = replay(lines, arguments.partitions, arguments.close)
    arguments.out.mkdir(parents=True, exist_ok=True)
    for topic in TOPICS:  # empty ones too, so that nothing of an earlier run stays
        with (arguments.out / f"{topic}.ndjson").open("w", encoding="utf-8", newline="\n") as out:
            for record in result.topics.get(topic, []):
                out.write(json.dumps(record, ensure_ascii=False) + "\n")
    report = {
        "counts": result.counts,
        "exceptions": dict(sorted(result.codes.items())),
        "passed_over": result.passed_over,
    }
    (arguments.out / "report.json").write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
