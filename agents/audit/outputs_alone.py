"""Checks output records against each other, where too little input is left to compare them with."""

import msgspec
from msgspec import Struct
from xxhash import xxh3_64_intdigest as hash_of

from agents.audit import findings
from agents.audit.content import Mismatch, ambiguous, header_mismatch, read
from agents.audit.expected_outputs import Figures, Headers, read_output_record
from agents.audit.findings import Differences, Place
from streams.log.headers import TRACE


class _Windowed(Struct):
    window_start: str
    revision: int


_read_windowed = msgspec.json.Decoder(_Windowed).decode


class OutputsAlone:
    """Takes the records of the output topics, and finds contradictions among them.

    A posting key must have one content, the revisions of a row must rise, and all records of a line
    must be in one partition of a topic. Takes some 200 bytes of memory for each record.
    """

    def __init__(self, differences: Differences, exactly_once: bool = False) -> None:
        self.differences = differences
        self.figures: dict[str, Figures] = {}
        self.keys = 0
        """How many posting keys were found."""
        self._exactly_once = exactly_once
        self._contents: dict[tuple[str, int], int] = {}
        self._revisions: dict[tuple[str, int], int] = {}
        self._partitions: dict[tuple[str, bytes | None], int | None] = {}

    def find(self, place: Place, value: bytes | None, headers: Headers = ()) -> None:
        """Take the next record of an output partition."""
        figures = self.figures.setdefault(place.topic, Figures())
        figures.records += 1
        try:
            found = read_output_record(value or b"")
            document = read(value or b"")
        except (ValueError, RecursionError):
            self.differences.note(findings.unreadable(place))
            return
        mismatch = ambiguous(document) or header_mismatch(dict(headers).get(TRACE), headers)
        if mismatch is not None:
            self.differences.note(findings.forged(place, found.id, mismatch))
        content = hash_of(msgspec.json.encode(document, order="sorted"))
        at = place.topic, hash_of(found.id.encode())
        before = self._contents.setdefault(at, content)
        if len(self._contents) == self.keys:
            figures.repeats += 1
            if before != content:
                mismatch = Mismatch("content", "what came before", "another")
                self.differences.note(findings.reused(place, found.id, mismatch))
            elif self._exactly_once:
                self.differences.note(findings.repeated(place, found.id))
            return
        self.keys += 1
        partition = self._partitions.setdefault((place.topic, place.key), place.partition)
        if partition is not None and partition != place.partition:
            self.differences.note(findings.scattered(place, found.id, partition))
        self._check_revision(place, found.id, found.data)

    def _check_revision(self, place: Place, id: str, data: msgspec.Raw) -> None:
        try:
            revision = _read_windowed(data).revision
        except (ValueError, RecursionError):
            return  # not a windowed record
        row = id.rpartition(":")[0]
        at = place.topic, hash_of(row.encode())
        before = self._revisions.setdefault(at, revision)
        if before > revision:
            self.differences.note(findings.reordered(place, id, f"{row}:{before}"))
        self._revisions[at] = max(before, revision)
