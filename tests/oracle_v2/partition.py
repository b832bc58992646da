"""One partition, one task: what becomes of a record, in order (sections 3, 5, 9)."""

import base64
from typing import TYPE_CHECKING, Any

from . import checks, closing, episodes, holds, postings, states, windows
from .line import Entry, Line
from .master import Copy, Known, read_reference
from .reading import Envelope, Event, Record, Rejected, read_envelope, read_event, read_type
from .rules import Calendar, Settings
from .tables import (
    EXCEPTIONS,
    HOLD_PLACED,
    HOLD_RELEASED,
    POSTED,
    REFERENCE_TYPES,
    REVERSAL,
    STATE,
    TELEMETRY,
    TICK,
)
from .values import parse_time, place_problem, shown, time_text

if TYPE_CHECKING:
    from .replay import Job

BUSINESS = {
    "unknown_reversal",
    "not_reversible",
    "reversal_mismatch",
    "already_reversed",
    "episode_conflict",
    "hold_conflict",
    "order_closed",
}
"""Section 6: "`business` for checks 11 to 15a and 17, `data` for the others"."""


class Task:
    """ "Each input partition is one log with one task and one state"."""

    def __init__(self, topic: str, settings: Settings, job: "Job") -> None:
        self.topic = topic
        self.settings = settings
        self.job = job
        self.lines: dict[tuple[str, str], Line] = {}
        self.known = Known()
        self.holds_that_touched: set[tuple[str, str]] = set()

    def timing(self, plant: str, name: str) -> int:
        return self.settings.timing(self.known.get("timing", plant), name)

    def take(self, record: Record) -> None:
        """ "Every input record ends as exactly one of accepted, duplicate, exception, tick"."""
        envelope = Envelope({}, binary=False)
        try:
            envelope = read_envelope(record)  # 1
            outcome = self._judge(record, envelope)
        except Rejected as rejected:
            self._raise_exception(record, envelope, rejected)
            outcome = "exception"
        self.job.counts[outcome] += 1

    def _judge(self, record: Record, envelope: Envelope) -> str:
        """ "What becomes of a record: the first that applies"."""
        type_ = read_type(envelope, self.topic)  # 2, 3
        if type_ == TICK:
            self._tick(record, envelope)  # 4
            return "tick"
        if type_ in REFERENCE_TYPES:
            seconds = self.settings.seconds
            shorter = min(seconds["retention_seconds_mes"], seconds["retention_seconds_machine"])
            copy = read_reference(type_, envelope, shorter - 1)  # 4
            if self.known.is_new(copy):
                self.learn(copy)
            return "tick"
        event = read_event(type_, envelope)  # 5
        checks.check_key(record, event)  # 6
        most = self.timing(event.plant, "future_seconds_max")
        checks.check_future(record, event.time, most)  # 7

        place = (event.plant, event.line)
        line = self.lines.get(place)
        if line is None:
            line = Line(*place, self, Calendar(event.plant, self.settings, self.known))
        if type_ != TELEMETRY and checks.check_ledger(line, event):  # 8 to 10
            return "duplicate"
        original = checks.check_reversal(line, event) if type_ == REVERSAL else None  # 11 to 14
        if type_.startswith("downtime."):
            episodes.check(line, event)  # 15
        if type_ == HOLD_PLACED:
            holds.check(self, event)  # 15a
        checks.check_master(self, event)  # 16, 17

        # 18: "Only an accepted event enters the ledger, raises the watermark and makes a line seen."
        self.lines[place] = line
        entry = Entry(event.fingerprint, event.time)
        if type_ != TELEMETRY:
            line.ledger[event.source, event.id] = entry
        # Section 5: "What one accepted event does, in order".
        closing.raise_watermark(line, event.time)
        if original is not None:
            self._fold_reversal(line, event, original)
        else:
            self._fold(line, event, entry)
        return "accepted"

    def _fold(self, line: Line, event: Event, entry: Entry) -> None:
        """ "then the event itself is folded in, and sends what it sends at once"."""
        if event.type.startswith("downtime."):
            episodes.fold(line, event)
        elif event.type == STATE:
            states.fold(line, event)
        else:
            windows.summarize(line, event.type, event.time, event.data, 1)
        if event.type in POSTED:
            holds.post_or_park(line, event, entry)
        else:
            postings.send_others(line, event)
        if event.type in (HOLD_PLACED, HOLD_RELEASED):
            copy = holds.write_reference(line, event)
            self.job.written.append((self, copy))
            self.learn(copy)

    def _fold_reversal(self, line: Line, event: Event, entry: Entry) -> None:
        """ "the original's rows, negative, at the original's time"; "Summaries get both"."""
        entry.reversed = True
        type_, time, data = event.data["original"].event
        windows.summarize(line, type_, time, data, -1)
        id_ = event.data["reverses"]
        original = Event(type_, event.source, id_, time, event.plant, event.line, data)
        postings.take_back(line, event, original, entry)

    def _tick(self, record: Record, envelope: Envelope) -> None:
        """Check 4; "a tick raises it to tick `time` - `idle_grace` ... if that is higher, on each
        line seen before the tick"; its `from_the_future` "goes by the setting"."""
        time = parse_time(envelope.get("time"))
        if time is None:
            raise Rejected("invalid", f"time {shown(envelope.get('time'))} can't be read")
        checks.check_future(record, time, self.settings.length("future_seconds_max"))
        for line in self.lines.values():
            closing.raise_watermark(line, time - line.timing("idle_grace_seconds"))

    def learn(self, copy: Copy) -> None:
        """ "by itself it first makes known, then sets boundaries (section 12), then frees (section
        11)"."""
        kind, plant, identity = copy.key
        before = self.known.get(kind, plant, *identity)
        self.known.learn(copy)
        if kind == "rules" and copy.data != before:  # "one that equals ... does nothing"
            for line in self.lines.values():
                if line.plant == plant:
                    assert line.watermark is not None
                    line.calendar.drop(identity[0], line.watermark)
                    if copy.data is not None:
                        line.calendar.set(identity[0], copy.data, line.watermark)
        holds.free(self)

    # ------------------------------------------------------------ what leaves

    def send(
        self,
        topic: str,
        line: Line,
        type_: str,
        id_: str,
        time: int,
        data: dict[str, Any],
        place: str | None = None,
    ) -> None:
        record = {
            "specversion": "1.0",
            "type": type_,
            "source": "/lineside",
            "id": id_,
            "time": time_text(time),
            "plant": line.plant,
            "line": line.line if place is None else place,
            "data": data,
        }
        self.job.topics.setdefault(topic, []).append(record)

    def _raise_exception(self, record: Record, envelope: Envelope, rejected: Rejected) -> None:
        """Section 6."""
        out: dict[str, Any] = {
            "specversion": "1.0",
            "type": "exception.raised.v1",
            "source": "/lineside",
            "id": f"{record.topic}/{record.partition}/{record.offset}",
        }
        if record.timestamp is not None:  # "`time` = the record timestamp where there is one"
            out["time"] = time_text(record.timestamp)
        for name in ("plant", "line"):  # "where they could be read"
            if place_problem(envelope.get(name)) is None:
                out[name] = envelope.get(name)
        out["data"] = {
            "class": "business" if rejected.code in BUSINESS else "data",
            "code": rejected.code,
            "reason": rejected.reason,
            "topic": record.topic,
            "partition": record.partition,
            "offset": record.offset,
            "key": record.key,
            "value": base64.b64encode(record.value).decode(),
            "headers": [{"name": name, "value": value} for name, value in record.headers],
        }
        self.job.topics.setdefault(EXCEPTIONS, []).append(out)
        self.job.codes[rejected.code] += 1
