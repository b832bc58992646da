"""Compares the records on the output topics with the records that the input produces."""

import secrets
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b
from typing import BinaryIO, Final

import msgspec
from msgspec import Struct
from xxhash import xxh3_64_intdigest as hash_of

from agents.audit import findings
from agents.audit.content import first_mismatch, header_mismatch
from agents.audit.findings import Differences, Place
from agents.audit.lanes import Lane, Series
from agents.audit.totals import Sums, add_up, decoders, is_of_a_window
from streams.contract.topics import ERP_TRANSACTIONS, MACHINE_EVENTS, OUTPUTS
from streams.log.headers import TRACE
from streams.log.record import TP, Outgoing

Headers = Sequence[tuple[str, bytes | None]]

_COMPARED: Final = frozenset(OUTPUTS)


class Figures(Struct):
    """Counts of one output topic; `records` includes the repeats."""

    records: int = 0
    repeats: int = 0
    to_come: int = 0
    """Records that aren't there yet, and follow from input that the states haven't counted yet."""


class OutputRecord(Struct):
    """The members of an outgoing record that the audit needs."""

    id: str
    type: str
    data: msgspec.Raw = msgspec.Raw(b"{}")


read_output_record = msgspec.json.Decoder(OutputRecord).decode
"""Raises `ValueError` or `RecursionError` if the value isn't such a record."""


class ExpectedOutputs:
    """Compares expected records (`expect`, `due`) with the records found (`find`, `finish`).

    Call order: `expect` and `due` for the input, `find` for each output record, then `finish`. For
    each line of each topic the records found, less repeats, must be a prefix of the expected ones,
    and must include all that are due. An expected record takes some 25 bytes of memory; its value
    goes to the file `spool`, which is read only where something differs.
    """

    def __init__(
        self,
        spool: BinaryIO,
        differences: Differences,
        windowed: Mapping[str, Sequence[str]],
        exactly_once: bool = False,
        removed: Iterable[tuple[str, int]] = (),
    ) -> None:
        """`windowed` has the measures of each windowed record type.

        `removed` are the output partitions whose first records retention has deleted. There a line
        is compared from its first record that is found.
        """
        self.differences = differences
        self.figures: dict[str, Figures] = {}
        self.sums: Sums = Counter()
        """The measures of the windowed records found, each record counted once."""
        self.keys = 0
        """How many expected posting keys were found."""
        self.lanes: dict[tuple[str, bytes | None], Lane] = {}
        self._series: dict[TP, dict[tuple[str, bytes | None], Series]] = {}
        self._spool, self._spooled = spool, 0
        self._windowed = decoders(windowed)
        self._exactly_once = exactly_once
        self._secret = secrets.token_bytes(16)
        self._removed = frozenset(removed)

    def expect(self, source: TP, outputs: Iterable[Outgoing]) -> None:
        """Take the next records that an input partition produces.

        What goes to `reference.v1` isn't held against it: that topic is compacted.
        """
        known = self._series.setdefault(source, {})
        for record in outputs:
            if record.topic not in _COMPARED:
                continue
            at = record.topic, record.key
            series = known.get(at)
            if series is None:
                series = known[at] = Series()
                self.lanes.setdefault(at, Lane([])).series.append(series)
            series.ids.append(hash_of(record.id.encode()))
            series.contents.append(self._digest(record.value, record.trace))
            series.spooled.append(self._spooled)
            lines = b"%b\n%b\n" % (record.value, record.trace or b"")
            self._spooled += self._spool.write(lines)
            if source[0] == MACHINE_EVENTS and record.topic == ERP_TRANSACTIONS:
                data = read_output_record(record.value).data
                if not is_of_a_window(record.type, data, self._windowed):
                    place = Place(record.topic, key=record.key)
                    self.differences.note(findings.single(place, record.id))

    def due(self, source: TP, to_come: Iterable[Outgoing] = ()) -> None:
        """Mark all records expected of an input partition so far as due: they must be there.

        But not `to_come`, the last ones of their lines: what was freed and hasn't gone on yet.
        """
        coming = Counter((record.topic, record.key) for record in to_come)
        for at, series in self._series.get(source, {}).items():
            series.due = len(series.ids) - coming[at]

    def find(self, place: Place, value: bytes | None, headers: Headers = ()) -> None:
        """Take the next record of an output partition."""
        figures = self.figures.setdefault(place.topic, Figures())
        figures.records += 1
        try:
            found = read_output_record(value or b"")
        except (ValueError, RecursionError):
            self.differences.note(findings.unreadable(place))
            return
        lane = self.lanes.get((place.topic, place.key))
        expected = None if lane is None else lane.find(hash_of(found.id.encode()))
        assert value is not None  # it has been read
        if lane is None or expected is None:
            self._add_up(found)
            self._note_extra(place, found.id, lane)
            return
        series, index = expected
        mismatch, trace = None, dict(headers).get(TRACE)
        if series.contents[index] != self._digest(value, trace):
            right, trace = self._record(series, index)
            mismatch = first_mismatch(right, value)
        if mismatch is None and headers:
            mismatch = header_mismatch(trace, headers)
        if index < series.next and index not in series.gaps:
            figures.repeats += 1
            if mismatch is not None:
                self.differences.note(findings.reused(place, found.id, mismatch))
            elif self._exactly_once:
                self.differences.note(findings.repeated(place, found.id))
            return
        self.keys += 1
        self._add_up(found)
        if mismatch is not None:
            self.differences.note(findings.changed(place, found.id, mismatch))
        self._move_on(place, found.id, lane, series, index)

    def finish(self) -> Sums:
        """Note the missing records; return the sums of those that are expected and not due."""
        to_come: Sums = Counter()
        cut = {topic for topic, _ in self._removed}
        for (topic, key), lane in self.lanes.items():
            figures = self.figures.setdefault(topic, Figures())
            end = Place(topic, lane.partition, None, key)
            self._check_ids(end, lane)
            for series in lane.series:
                if topic in cut and not series.begun:
                    continue
                self._check_missing(end, series)
                for index in range(max(series.due, series.next), len(series.ids)):
                    figures.to_come += 1
                    record = read_output_record(self._record(series, index)[0])
                    add_up(to_come, record.type, record.data, self._windowed)
        return to_come

    def _move_on(self, place: Place, id: str, lane: Lane, series: Series, index: int) -> None:
        """Note that a record was found: the next one, one after a gap, or one that fills a gap."""
        if lane.partition is None:
            lane.partition = place.partition
        elif lane.partition != place.partition:
            self.differences.note(findings.scattered(place, id, lane.partition))
        if not series.begun and (place.topic, place.partition) in self._removed:
            series.next = index
        series.begun = True
        if index < series.next:
            self.differences.note(findings.reordered(place, id, series.gaps.pop(index)[1]))
            return
        for passed in range(series.next, index):
            series.gaps[passed] = place, id
        series.next = index + 1

    def _check_ids(self, end: Place, lane: Lane) -> None:
        """Note if two records that the input produces share a posting key."""
        seen: set[int] = set()
        for series in lane.series:
            if len(lane.series) == 1 and len(set(series.ids)) == len(series.ids):
                return
            for index, hashed in enumerate(series.ids):
                if hashed in seen:
                    self.differences.note(findings.twice(end, self._id(series, index)))
                seen.add(hashed)

    def _check_missing(self, end: Place, series: Series) -> None:
        if series.gaps:
            index = min(series.gaps)
            place, instead = series.gaps[index]
            missing = findings.missing(place, self._id(series, index), instead)
            self.differences.note(missing, len(series.gaps))
        if series.next < series.due:
            missing = findings.missing(end, self._id(series, series.next), None)
            self.differences.note(missing, series.due - series.next)

    def _note_extra(self, place: Place, id: str, lane: Lane | None) -> None:
        next_id = None
        for series in lane.series if lane else ():
            if series.next < len(series.ids):
                next_id = self._id(series, series.next)
        difference = findings.surplus(place, id, next_id, None)
        if self.differences.is_first(difference):
            difference = findings.surplus(place, id, next_id, self._owner(place.topic, id))
        self.differences.note(difference)

    def _owner(self, topic: str, id: str) -> Place | None:
        """Return where a record with the wrong key is expected; searches all lines."""
        hashed = hash_of(id.encode())
        for (lane_topic, key), lane in self.lanes.items():
            if lane_topic == topic and any(hashed in series.ids for series in lane.series):
                return Place(topic, lane.partition, None, key)
        return None

    def _id(self, series: Series, index: int) -> str:
        return read_output_record(self._record(series, index)[0]).id

    def _record(self, series: Series, index: int) -> tuple[bytes, bytes | None]:
        """Return the value and the trace of an expected record."""
        self._spool.seek(series.spooled[index])
        value, trace = self._spool.readline()[:-1], self._spool.readline()[:-1]
        return value, trace or None

    def _digest(self, value: bytes, trace: bytes | None) -> int:
        """Return a keyed hash: with a random key nobody can forge a record of the same hash."""
        digest = blake2b(value, digest_size=8, key=self._secret)
        if trace is not None:
            digest.update(b"\n" + trace)
        return int.from_bytes(digest.digest(), "big")

    def _add_up(self, found: OutputRecord) -> None:
        try:
            add_up(self.sums, found.type, found.data, self._windowed)
        except ValueError:
            pass  # a value that isn't a number: the record is reported as changed
