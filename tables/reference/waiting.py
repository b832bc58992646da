"""Refused events that wait for master data, and how far each partition of exceptions was read."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from msgspec import Struct

from streams.contract.refused import Refused, refused_of
from streams.contract.topics import MES_EVENTS
from streams.log.lineage import resent_for
from streams.log.record import Record
from tables.reference.lacking import CODE, Lack, known_from, lack_of
from tables.reference.standing import Standing

WAITING_MAX: Final = 50_000
"""Of more, the oldest are given up: a person sends them again. Their offsets are in one note."""

WAITING_BYTES_MAX: Final = 64 << 20
"""Values, keys and headers of all that wait."""

OVERHEAD_BYTES: Final = 500
"""Of an event that waits, beside its bytes, about."""


Place = tuple[int, int]
"""(partition of exceptions, offset): in this order refused events go again."""


class Watched(Struct, frozen=True):
    """How far a partition of exceptions was read, and which before that still wait."""

    end: int = 0
    steps: tuple[int, ...] = ()
    """The offsets of those that wait: the first, then what each has more than the one before."""
    last: dict[int, tuple[int, int]] = {}
    """By partition of `mes.events.v1`: the greatest offset and timestamp of what was refused.

    What isn't past both is an exception that was written twice: its id was seen before.
    """

    def offsets(self) -> list[int]:
        """Return the offsets of those that wait."""
        found, at = [], 0
        for step in self.steps:
            at += step
            found.append(at)
        return found


class Waiter(Struct, frozen=True, gc=False):
    """A refused event that waits."""

    place: Place
    exception: str
    partition: int
    """Where the event was, in `mes.events.v1`."""
    record: Record
    tried: int
    """For the record of this offset it was sent again already, and refused all the same."""
    lack: Lack

    @property
    def size(self) -> int:
        """How many bytes it takes, about."""
        headers = sum(len(name) + len(value or b"") for name, value in self.record.headers)
        return len(self.record.value or b"") + len(self.record.key or b"") + headers


class Due(Struct, frozen=True):
    """A refused event that goes again, for the record of `reference.v1` at `offset`."""

    waiter: Waiter
    offset: int


class Waiting:
    """What waits, in memory; `watched` says all that a new one has to know besides the exceptions.

    An event is sent again at most once for an exception. If it's refused again, the new exception
    waits for another record, or for another version of that one.
    """

    def __init__(self, watched: Mapping[int, Watched], sent: Iterable[Place] = ()) -> None:
        self.forgotten = 0
        """How many were given up: there were too many, or their exceptions are there no longer."""
        self.changes = 0
        """Rises with each change."""
        self._sent = frozenset(sent)
        self._watched = {n: Watched(w.end, w.steps, dict(w.last)) for n, w in watched.items()}
        self._waiters: dict[Place, Waiter] = {}
        self._by_lack: defaultdict[Lack, dict[Place, Waiter]] = defaultdict(dict)
        self._bytes = 0
        self._changed: set[int] = {number for number, _ in self._sent}
        self._again = {n: frozenset(one.offsets()) for n, one in self._watched.items()}
        """What still waited when the last one ended, and has to be read again."""

    def __len__(self) -> int:
        return len(self._waiters)

    def end(self, number: int) -> int:
        """Return how far a partition of exceptions was read."""
        return self._watched.get(number, Watched()).end

    def begin(self, number: int, first: int, end: int) -> int:
        """Return from where a partition has to be read: it holds what is from `first` to `end`.

        One that ends before what was read of it was made anew.
        """
        if end < self.end(number):
            self._watched[number] = Watched()
            self._again.pop(number, None)
            self._changed.add(number)
        again = self._again.get(number, frozenset())
        there = [offset for offset in again if offset >= first]
        self.forgotten += len(again) - len(there)
        return max(first, min([self.end(number), *there]))

    def take(self, number: int, exceptions: Sequence[Record], end: int) -> None:
        """Take up a partition's next exceptions; all before `end` were given."""
        for exception in exceptions:
            self._take(number, exception)
        before = self._watched.get(number, Watched())
        if end > before.end:
            self._watched[number] = Watched(end, (), before.last)
            self._changed.add(number)

    def _take(self, number: int, exception: Record) -> None:
        place = number, exception.offset
        again = exception.offset < self.end(number)
        if again and exception.offset not in self._again.get(number, ()):
            return
        refused = refused_of(exception, CODE)
        if refused is None or refused.topic != MES_EVENTS:
            return
        if (not again and self._is_repeated(number, refused)) or place in self._sent:
            return
        lack = lack_of(refused.record, refused.reason)
        if lack is not None and place not in self._waiters:
            tried = resent_for(refused.record.headers)
            self._add(Waiter(place, refused.id, refused.partition, refused.record, tried, lack))

    def _is_repeated(self, number: int, refused: Refused) -> bool:
        """Return whether an exception came before, and keep in mind that it came."""
        watched = self._watched.setdefault(number, Watched())
        offset, time = refused.record.offset, refused.record.timestamp or 0
        greatest, latest = watched.last.get(refused.partition, (-1, -1))
        if offset <= greatest and time <= latest:
            return True
        watched.last[refused.partition] = offset, max(time, latest)
        return False

    def _add(self, waiter: Waiter) -> None:
        self._waiters[waiter.place] = self._by_lack[waiter.lack][waiter.place] = waiter
        self._bytes += waiter.size + OVERHEAD_BYTES
        self.changes += 1
        while len(self) > WAITING_MAX or self._bytes > WAITING_BYTES_MAX:
            self._remove(next(iter(self._waiters)))
            self.forgotten += 1

    def _remove(self, place: Place) -> None:
        waiter = self._waiters.pop(place)
        same = self._by_lack[waiter.lack]
        del same[place]
        if not same:
            del self._by_lack[waiter.lack]
        self._bytes -= waiter.size + OVERHEAD_BYTES
        self._changed.add(place[0])

    def due(self, standing: Standing) -> list[Due]:
        """Return those whose lack is known in their partitions, in the order of the exceptions."""
        found = []
        for lack, waiters in self._by_lack.items():
            offset = known_from(lack, standing.known)
            if offset is None:
                continue
            for waiter in waiters.values():
                there = standing.has(waiter.partition, lack.plant, offset)
                if waiter.tried < offset and there:
                    found.append(Due(waiter, offset))
        return sorted(found, key=lambda due: due.waiter.place)

    def go(self, due: Iterable[Due]) -> None:
        """Let events go: they are being sent."""
        for each in due:
            self._remove(each.waiter.place)

    def noted(self) -> Iterator[tuple[int, Watched]]:
        """Yield what has changed since the last time, by partition of exceptions."""
        offsets: defaultdict[int, list[int]] = defaultdict(list)
        for number, offset in self._waiters:
            if number in self._changed:
                offsets[number].append(offset)
        for number in sorted(self._changed):
            watched = self._watched.get(number, Watched())
            yield number, Watched(watched.end, _steps(sorted(offsets[number])), watched.last)
        self._changed.clear()


def _steps(offsets: Sequence[int]) -> tuple[int, ...]:
    before = [0, *offsets]
    return tuple(each - last for last, each in zip(before, offsets, strict=False))
