"""A batch of records: the first check that applies decides what becomes of each."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from msgspec.structs import replace

from streams.codec import scanning
from streams.codec.decode import Decoded, read_original
from streams.contract.topics import EXCEPTIONS
from streams.contract.transactions import at_once_key
from streams.log.record import Outgoing
from streams.values import lookup, spans
from tables.line import adding, closing, finals, ledger, old_rules, sending, singles, states
from tables.line import kept as kept_
from tables.line.downtime import learn
from tables.line.kept import Kept, decoded_of, kept, trace_of
from tables.line.line import Line
from tables.line.periods import Period, base_period, period_at, timings_of
from tables.line.pieces import close_some, crowded
from tables.line.plans import NO_FIELD, POSTINGS, SUMMARIES, AtOnce, Plan
from tables.line.singles import ACCEPTED, LEFT, PARKED, TAKEN_OUT
from tables.partition import freeing, holds, learning, refusing, required, ticking
from tables.partition.head import NEVER
from tables.store.store import Changes

if TYPE_CHECKING:
    from tables.partition.partition import Partition

_WAITED: Final = -1
"""In place of a record's number: the event is one that was parked."""

NO_BOUND: Final = 2**62
NO_TIMESTAMP = scanning.NO_TIMESTAMP
_NO_FIELD, _NEVER = NO_FIELD, NEVER
_SUMMARIES, _POSTINGS = SUMMARIES, POSTINGS
_ACCEPTED, _LEFT, _PARKED, _TAKEN_OUT = ACCEPTED, LEFT, PARKED, TAKEN_OUT


class Batch:
    """Takes batches of records for a partition, one after the other.

    Of the batch that was taken last: `out` is what leaves, `fresh` what the ledger gains, `touched`
    the lines that it has changed, by key.
    """

    def __init__(self, partition: "Partition") -> None:
        rules, bounds = partition.rules, partition.bounds
        self.partition = partition
        self.rules = rules
        self.lines = partition.lines
        self.counts = partition.counts
        self.known = partition.known
        self.copied = partition.copied
        self.parking = partition.parking
        self.freeing = partition.parking.freeing
        self.plans = base_period(rules, "").plans
        self.events = scanning.Events()
        self.seen = lookup.Lookup()
        """The lines of `lines` that records were of."""
        self.fresh: Changes = {}
        self.touched: dict[bytes, Line] = {}
        self.out: list[Outgoing] = []
        self.keys: list[bytes | None] = []
        """The ledger's key of each record that carries a transaction."""
        self.of_reversed: dict[bytes, bytes] = {}
        """What the ledger has of the events that the batch's reversals name."""
        self.waiting = Kept(b"")
        """The parked event that goes on."""
        self.number = 0
        self.retention = rules.retention
        self.bucket = rules.bucket
        self.bounded = bounds is not None
        self.rows_max = NO_BOUND if bounds is None else bounds.rows
        self.lines_max = NO_BOUND if bounds is None else bounds.lines
        self.bytes_max = NO_BOUND if bounds is None else bounds.output_bytes
        self.room = self.counted = self.changed = self.accepted = self.duplicates = 0

    def read(
        self, records: Sequence[Any], seen: int, known: Sequence[Decoded | None] | None = None
    ) -> tuple[list[bytes], list[bytes]]:
        """Read records, those up to the offset `seen` aside; return the ledger keys to look up.

        They are those of the records, and those of the events that reversals name.
        """
        self.events.read(records, seen, self.partition.topic, known)
        reversed = self._keys_of()
        return [key for key in self.keys if key is not None], reversed

    def _keys_of(self) -> list[bytes]:
        """Work out `keys`; return those of the events that reversals name."""
        keys: list[bytes | None] = []
        reversed = []
        for number in range(self.events.count):
            event = scanning.event_at(self.events, number)
            if event.kind < 0:
                keys.append(None)
                continue
            plan = self.plans[event.kind]
            keys.append(ledger.identity_of(event) if plan.transaction else None)
            if plan.is_reversal:
                reversed.append(refusing.reversed_key(self.events.decoded_at(number)))
        self.keys = keys
        return reversed

    def take(self, found: list[bytes | None]) -> int:
        """Let the first check that applies decide what becomes of each record.

        `found` is what the ledger has of the keys that `read` gave, None where it has nothing.
        Return how many were taken: all, or those before a bound. The first of the others may have
        begun: some of what leaves because of it has left, and nothing else of it is seen.
        """
        self.begin_step()
        taken = self.events.count
        asked = 0
        for number in range(self.events.count):
            if self.bounded and number and self.is_full():
                taken = number
                break
            key, stored = self.keys[number], None
            if key is not None:
                stored = found[asked]
                asked += 1
            if not self._take(number, key, stored):
                taken = number
                break
        if self.freeing and not (self.bounded and self.is_full()):
            freeing.go_on(self)
        self.counts.accepted += self.accepted
        self.counts.duplicate += self.duplicates
        return taken

    def begin_step(self) -> None:
        """Begin with nothing that leaves, and nothing that has changed."""
        self.number += 1
        self.fresh, self.touched, self.out = lookup.sized_dict(self.events.count), {}, []
        self.room, self.counted, self.changed = self.bytes_max, 0, 0
        self.accepted = self.duplicates = 0

    def let_go(self, gone: list[bytes]) -> None:
        """Forget lines that leave memory."""
        for key in gone:
            lookup.drop(self.seen, key)

    def is_full(self) -> bool:
        """Return whether the step has reached one of its bounds."""
        while self.counted < len(self.out):
            self.room -= len(self.out[self.counted].value)
            self.counted += 1
        return self.room <= 0 or self.changed >= 4 * self.rows_max

    def _take(self, number: int, key: bytes | None, stored: bytes | None) -> bool:
        """Take one record; return whether it is taken, or a bound came before."""
        if self.freeing and not freeing.may_pass(self, number) and not freeing.go_on(self):
            return False
        event = scanning.event_at(self.events, number)
        if event.kind == scanning.TICK:
            return ticking.tick(self, number)
        if event.kind == scanning.REFERENCE:
            return self._learn(number)
        if event.kind < 0:
            refusing.refuse(self, number, self.events.decoded_at(number))
            return True
        plan = self.plans[event.kind]
        line = self._line_of(number, event)
        if line is None:
            if refusing.is_misplaced(self, number):
                return True
            record = self.events.record_at(number)
            line = self.partition.line(record.key)  # type: ignore[arg-type]  # it is its line's
        at = event.time
        timestamp = scanning.timestamp_at(self.events, number)
        future_max = self._future_max(number) if line is None else line.timings.future_max
        if timestamp != NO_TIMESTAMP and at - timestamp > future_max:
            refusing.reject(self, number, "from_the_future", refusing.future(at, timestamp))
            return True
        entry = known = fingerprint = None
        if plan.transaction:
            oldest = _NEVER if line is None else max(line.watermark - self.retention, line.reach)
            if at < oldest:
                refusing.reject(self, number, "too_old", refusing.too_old(at, oldest))
                return True
            fingerprint = self._fingerprint_of(plan, event, number)
            assert key is not None  # `read` has made one
            known = self.fresh.get(key)
            entry = stored if known is None else known
            if entry is not None and ledger.counts(entry, oldest):
                if ledger.is_of(entry, fingerprint):
                    assert line is not None  # it has a ledger
                    self.duplicates += 1
                    line.duplicate_events += 1
                else:
                    reason = refusing.conflict(self.events.decoded_at(number))
                    refusing.reject(self, number, "key_conflict", reason)
                return True
            if plan.is_reversal:
                if not refusing.reversal_passes(self, number, line, oldest):
                    return True
            elif plan.is_stop and not refusing.stop_passes(self, number, line, oldest):
                return True
            if (plan.is_hold or self.known.requires) and not self._known_passes(
                plan, event, line, number
            ):
                return True
        if line is None:
            decoded = self.events.decoded_at(number)
            line = Line(decoded.plant, decoded.line, at, self.rules)
            learning.begin_line(line, self.known)
            self.lines[line.key] = line
        elif at > line.watermark:
            if at < line.due:
                closing.raise_to(line, at)
            elif self.bounded and self._is_crowded(line, at):
                self.begin(line, at)
                return False
            else:
                closing.advance(line, at, self.rules, self.out)
                adding.drop_closed(line)
        self.accepted += 1
        line.accepted_events += 1
        self.touch(line)
        if key is None or fingerprint is None:  # no transaction
            return True
        if entry is not None and known is None:  # it had expired
            self.partition.ledger_grown -= 1
        flags = ledger.SILENT if plan.may_be_silent and not self._sends(plan, event) else 0
        self._enter(line, key, at, ledger.entry_bytes(at, fingerprint, flags))
        if plan.is_reversal:
            self._take_back(line, number)
        else:
            self._fold(line, event, number)
            if plan.is_hold and self.freeing:
                freeing.go_on(self)
        return True

    def _line_of(self, number: int, event: scanning.Event) -> Line | None:
        """Return the line in memory that a record's key names, if it's that of its event."""
        key = scanning.key_at(self.events, number)
        if not spans.is_there(key):
            return None
        line: Line | None = lookup.found(self.seen, key)
        if line is None:
            line = self.lines.get(spans.bytes_of(key))
            if line is None:
                return None
            lookup.keep(self.seen, line.key, line)
        if spans.is_same(event.plant, line.plant_bytes):
            return line if spans.is_same(event.line, line.line_bytes) else None
        return None

    def touch(self, line: Line) -> None:
        """Note that a line changes."""
        if line.batch != self.number:
            line.batch = self.number
            self.touched[line.key] = line

    def _enter(self, line: Line, key: bytes, at: int, entry: bytes) -> None:
        """Put an entry into the ledger, and note when it expires."""
        self.fresh[key] = entry
        number = at // self.bucket
        if line.bucket_keys is None or number != line.bucket:
            line.bucket = number
            line.bucket_keys = line.expiring.setdefault(number, [])
        line.bucket_keys.append(key)

    def _known_passes(
        self, plan: Plan, event: scanning.Event, line: Line | None, number: int
    ) -> bool:
        """Apply checks 15a, 16 and 17; refuse what doesn't pass."""
        if plan.is_hold:
            reason = holds.conflict(self.known, self.events.decoded_at(number))
            if reason is not None:
                refusing.reject(self, number, "hold_conflict", reason)
                return False
        if plan.is_checked and self.known.requires:
            plant = self.events.decoded_at(number).plant if line is None else line.plant
            own = self.known.plants.get(plant)
            if own is not None and own.require:
                refusal = required.lacking(self.known, own.require, plan, event)
                if refusal is not None:
                    refusing.reject(self, number, refusal[0], refusal[1])
                    return False
        return True

    def _learn(self, number: int) -> bool:
        """Take a reference record."""
        if self.copied.learn(self.known, self.events, number, bool(self.parking.groups)):
            self.counts.tick += 1
            return True
        told = self.events.decoded_at(number)
        problem = learning.grace_problem(told, self.partition)
        if problem is not None:
            refusing.refuse(self, number, problem)
            return True
        if not learning.learn(self, told):
            return False
        self.counts.tick += 1
        if self.freeing:
            freeing.go_on(self)
        return True

    def _fold(self, line: Line, event: scanning.Event, number: int) -> None:
        """Add an accepted event to its line; what it sends at once leaves."""
        period = self._period_of(line, event.time)
        plan = period.plans[event.kind]
        if (
            plan.is_touched
            and self._may_hold_back(line)
            and self._is_held_back(line, period, event, number)
        ):
            self._contribute(line, plan, period, event, _SUMMARIES)
        else:
            singles.count_event(line, plan, event, self._is_single(plan, event), _ACCEPTED, 1)
            self._post(line, plan, period, event, number, _SUMMARIES)
        if plan.is_stop:
            begin = len(self.out)
            learn(line, self.events.decoded_at(number), self.rules, self.out)
            self.changed = max(self.changed, len(line.changed_pages))
            self._mark(begin, number)
        elif plan.is_hold:
            held = self.events.decoded_at(number)
            told = holds.reference_of(held)
            self.out.append(holds.outgoing_of(line, held, told))
            learning.learn(self, told)
        elif plan.state_field != _NO_FIELD:
            line.state = spans.text_of(scanning.span_at(event, plan.state_field))
            unit = spans.text_of(scanning.span_at(event, plan.work_unit_field))
            states.learn(line, unit, event.time, line.state)
            self.changed = max(self.changed, len(line.changed_pages))

    def _sends(self, plan: Plan, event: scanning.Event) -> bool:
        """Return whether an event sends something to the ERP, be it by window."""
        sends = False
        for record in plan.singly:
            sends = sends or adding.applies(record.where, event)
        return sends

    def _is_held_back(self, line: Line, period: Period, event: scanning.Event, number: int) -> bool:
        """Return whether an accepted event sends nothing to the ERP, or not yet: it's parked."""
        plan = period.plans[event.kind]
        key = self.keys[number]
        assert key is not None  # it carries a transaction
        entry = self.fresh[key]
        assert entry is not None  # it was entered just now
        if ledger.entry_flags(entry):
            return False  # it sends nothing anyway
        flags, more = ledger.SILENT, 0
        if not plan.is_consumed or not holds.is_backflushed(self.known, plan, event):
            if not holds.may_touch(self.known, line.plant, plan, event):
                return False
            touchable = holds.touchable_of(plan, event)
            if not holds.is_touched(self.known, line.plant, touchable):
                return False
            flags = ledger.PARKED
            holds.note_touched(self.known, line.plant, touchable)
            told = kept(self.events.record_at(number))
            more = self.parking.park(line.key, touchable, event.time, told)
            single = self._is_single(plan, event)
            singles.count_event(line, plan, event, single, _ACCEPTED, 1)
            self._count_parked(line, plan, event, single, 1)
        fingerprint = ledger.entry_fingerprint(entry)
        self.fresh[key] = ledger.entry_bytes(event.time, fingerprint, flags, more)
        return True

    def _may_hold_back(self, line: Line) -> bool:
        """Return whether something is known that could keep an event from the ERP."""
        known = self.known
        if known.items or known.orders:
            return True
        if not known.holds:
            return False
        own = known.plants.get(line.plant)
        return own is not None and bool(own.holds)

    def _is_single(self, plan: Plan, event: scanning.Event) -> bool:
        """Return whether an event leaves by itself though others like it go by window."""
        return sending.has(event, plan.final_field) or sending.has(event, plan.serial_field)

    def _count_parked(
        self, line: Line, plan: Plan, event: scanning.Event, single: bool, amount: int
    ) -> None:
        """Count an event as parked, or with -1 as parked no longer, for the conservation law."""
        singles.count_event(line, plan, event, single, _PARKED, amount)
        if not single:
            adding.park(line, plan, event, amount)

    def go_on(self, line: Line, waiting: Kept) -> None:
        """Post an event that was parked, by the late rules."""
        event = kept_.event_of(waiting)
        period = self._period_of(line, event.time)
        plan = period.plans[event.kind]
        self.touch(line)
        self._count_parked(line, plan, event, self._is_single(plan, event), -1)
        self.waiting = waiting
        self._post(line, plan, period, event, _WAITED, 0)
        key = ledger.identity_of(event)
        fingerprint = self._fingerprint_of(plan, event, _WAITED)
        flags = ledger.FREED
        at = line.watermark
        old_rules.note_freed(line, event.time)
        self.partition.ledger_grown -= key not in self.fresh  # it's there, and stays one
        self._enter(line, key, at, ledger.entry_bytes(event.time, fingerprint, flags, at))

    def _post(
        self, line: Line, plan: Plan, period: Period, event: scanning.Event, number: int,
        parts: int,
    ) -> None:  # fmt: skip
        """Send what an event sends, or add it to its rows; to those of `parts` in any case."""
        if plan.final_field != _NO_FIELD and scanning.has(event, plan.final_field):
            self._contribute(line, plan, period, event, parts)
            finals.wait(line, plan, period, event, self._kept(number))
        elif plan.serial_field != _NO_FIELD and scanning.has(event, plan.serial_field):
            self._contribute(line, plan, period, event, parts)
            self._send(line, plan, plan.by_window, event, period, number)
            self._send(line, plan, plan.at_once, event, period, number)
        else:
            self._contribute(line, plan, period, event, parts | _POSTINGS)
            self._send(line, plan, plan.at_once, event, period, number)

    def _kept(self, number: int) -> Kept:
        return self.waiting if number == _WAITED else kept(self.events.record_at(number))

    def _trace_of(self, number: int) -> bytes | None:
        return trace_of(self.waiting) if number == _WAITED else self.events.trace_at(number)

    def _contribute(
        self, line: Line, plan: Plan, period: Period, event: scanning.Event, parts: int
    ) -> None:
        if parts and plan.contributions:
            adding.contribute(line, plan, period, event, 1, None, parts, self.number)

    def _send(
        self, line: Line, plan: Plan, records: list[AtOnce], event: scanning.Event, period: Period,
        number: int,
    ) -> None:  # fmt: skip
        for record in records:
            if adding.applies(record.where, event):
                trace = self._trace_of(number)
                sending.send_at_once(line, plan, record, event, period.zone, trace, self.out)
                if record.number >= 0:
                    singles.count(line, record, _LEFT, 1)

    def _period_of(self, line: Line, at: int) -> Period:
        """Return what holds for events of a time."""
        period = line.period
        if not period.begin <= at < period.end:
            period = line.period = period_at(line.periods, period, at)
        return period

    def _take_back(self, line: Line, number: int) -> None:
        """Mark the original of an accepted reversal, and take back what it has led to."""
        reversal = self.events.decoded_at(number)
        key = refusing.reversed_key(reversal)
        entry = self.known_entry(key)
        assert entry is not None  # the checks have found it
        read = read_original(reversal.data.original)
        assert not isinstance(read, str)  # the checks have read it
        original = scanning.event_of_original(self.events, read)
        period = self._period_of(line, original.time)
        plan = period.plans[original.kind]
        flags, more = ledger.entry_flags(entry), ledger.entry_more(entry)
        self._add_back(line, plan, period, original, reversal.id, _SUMMARIES)
        if flags & ledger.PARKED:
            touchable = holds.touchable_of(plan, original)
            self.parking.take_out(line.key, touchable, original.time, more)
            single = self._is_single(plan, original)
            self._count_parked(line, plan, original, single, -1)
            singles.count_event(line, plan, original, single, _TAKEN_OUT, 1)
            flags, more = ledger.FREED, line.watermark
            old_rules.note_freed(line, original.time)
        elif not flags & ledger.SILENT:
            self._take_back_posted(line, plan, period, original, number)
        at = more if flags & ledger.FREED else original.time
        fingerprint = ledger.entry_fingerprint(entry)
        flags |= ledger.REVERSED
        self.partition.ledger_grown -= key not in self.fresh  # it's there, and stays one
        self._enter(line, key, at, ledger.entry_bytes(original.time, fingerprint, flags, more))

    def _take_back_posted(
        self, line: Line, plan: Plan, period: Period, original: scanning.Event, number: int
    ) -> None:
        """Take back what an event has sent to the ERP, or what of it still waits."""
        reversal = self.events.decoded_at(number)
        records = [each for each in plan.singly if adding.applies(each.where, original)]
        if sending.has(original, plan.final_field):
            where = line.place, reversal.source, reversal.data.reverses
            if finals.stop_waiting(line, [at_once_key(each.short, *where) for each in records]):
                singles.count_event(line, plan, original, True, _TAKEN_OUT, 1)
                records = []
        elif not sending.has(original, plan.serial_field):
            self._add_back(line, plan, period, original, reversal.id, _POSTINGS)
            records = [each for each in records if each not in plan.by_window]
        zone = self._period_of(line, reversal.time).zone
        trace = self.events.trace_at(number)
        for record in records:
            sending.send_reversal(line, plan, record, original, reversal, zone, trace, self.out)

    def _add_back(
        self, line: Line, plan: Plan, period: Period, original: scanning.Event, cause: str,
        parts: int,
    ) -> None:  # fmt: skip
        if plan.contributions:
            adding.contribute(line, plan, period, original, -1, cause, parts, self.number)

    def _future_max(self, number: int) -> int:
        """Return how far an event's time may be ahead of its record, on a line not seen yet."""
        plant = self.events.decoded_at(number).plant
        return timings_of(self.rules, self.known, plant).future_max

    def _fingerprint_of(self, plan: Plan, event: scanning.Event, number: int) -> bytes:
        if not plan.is_reversal:
            try:
                return ledger.fingerprint_of(plan, event)
            except OverflowError:
                pass
        if number == _WAITED:
            return ledger.fingerprint(decoded_of(self.waiting))
        return ledger.fingerprint(self.events.decoded_at(number))

    def _is_crowded(self, line: Line, watermark: int) -> bool:
        """Return whether too many rows would leave if the watermark rose so far."""
        rows = 0
        for carried in line.windows:
            for each in carried.values():
                rows += len(each)
        for waiting in line.finals.values():
            rows += len(waiting)
        if line.live or line.timelines is not None:
            rows += states.leaving_at_most(line, watermark, self.rows_max)
        if rows <= self.rows_max:
            return False
        return crowded(line, watermark, self.rules, self.rows_max)

    def begin(self, line: Line, watermark: int) -> None:
        """Close some of the windows that a watermark closes, before what raises it is taken."""
        close_some(line, watermark, self.rules, self.out, self.rows_max)
        self.touch(line)

    def known_entry(self, key: bytes) -> bytes | None:
        """Return what the ledger has of an event that a reversal names."""
        found = self.fresh.get(key)
        return self.of_reversed.get(key) if found is None else found

    def _mark(self, begin: int, number: int) -> None:
        """Give what has left since `begin` the trace of a record, where it has one."""
        if len(self.out) > begin:
            trace = self.events.trace_at(number)
            if trace is not None:
                self.out[begin:] = [replace(one, trace=trace) for one in self.out[begin:]]


def count_types(counts: dict[str, int], records: list[Outgoing]) -> None:
    """Count records by their type, but for exceptions."""
    number = 0
    last = None
    for record in records:
        kind = record.type
        if kind is not last:
            if number and last is not None:
                counts[last] = counts.get(last, 0) + number
            last = None if record.topic == EXCEPTIONS else kind
            number = 0
        number += 1
    if number and last is not None:
        counts[last] = counts.get(last, 0) + number
