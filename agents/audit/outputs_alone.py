"""What output records say by themselves, where too little is left to hold them against."""

import msgspec
from msgspec import Struct
from xxhash import xxh3_64_intdigest as hash_of

from agents.audit import findings as tell
from agents.audit.content import Unlike, ambiguous, read, unlike_headers
from agents.audit.expected_outputs import Figures, Headers, read_found
from agents.audit.findings import Differences, Place
from streams.log.headers import TRACE


class _Windowed(Struct):
    window_start: str
    revision: int


_read_windowed = msgspec.json.Decoder(_Windowed).decode


class Remains:
    """Takes the records of the output topics, and finds what contradicts itself among them.

    A posting key must have one content, the revisions of a row must rise, and a line must be in one
    partition of a topic. Memory is some 200 bytes for each record.
    """

    def __init__(self, differences: Differences, exactly_once: bool = False) -> None:
        self.differences = differences
        self.figures: dict[str, Figures] = {}
        self.keys = 0
        """Posting keys found."""
        self._exactly_once = exactly_once
        self._contents: dict[tuple[str, int], int] = {}
        self._revisions: dict[tuple[str, int], int] = {}
        self._partitions: dict[tuple[str, bytes | None], int | None] = {}

    def find(self, place: Place, value: bytes | None, headers: Headers = ()) -> None:
        """Take the next record of an output partition."""
        figures = self.figures.setdefault(place.topic, Figures())
        figures.records += 1
        try:
            found = read_found(value or b"")
            document = read(value or b"")
        except (ValueError, RecursionError):
            self.differences.note(tell.unreadable(place))
            return
        odd = ambiguous(document) or unlike_headers(dict(headers).get(TRACE), headers)
        if odd is not None:
            self.differences.note(tell.forged(place, found.id, odd))
        content = hash_of(msgspec.json.encode(document, order="sorted"))
        at = place.topic, hash_of(found.id.encode())
        before = self._contents.setdefault(at, content)
        if len(self._contents) == self.keys:
            figures.repeats += 1
            if before != content:
                what = Unlike("content", "what came before", "another")
                self.differences.note(tell.reused(place, found.id, what))
            elif self._exactly_once:
                self.differences.note(tell.repeated(place, found.id))
            return
        self.keys += 1
        partition = self._partitions.setdefault((place.topic, place.key), place.partition)
        if partition is not None and partition != place.partition:
            self.differences.note(tell.scattered(place, found.id, partition))
        self._check_revision(place, found.id, found.data)

    def _check_revision(self, place: Place, id: str, data: msgspec.Raw) -> None:
        try:
            revision = _read_windowed(data).revision
        except (ValueError, RecursionError):
            return  # it isn't of a window
        row = id.rpartition(":")[0]
        at = place.topic, hash_of(row.encode())
        before = self._revisions.setdefault(at, revision)
        if before > revision:
            self.differences.note(tell.reordered(place, id, f"{row}:{before}"))
        self._revisions[at] = max(before, revision)
