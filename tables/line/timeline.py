"""The points of one work unit's machine states, by time, in blocks that are stored one by one."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from operator import attrgetter
from typing import Final

from tables.line.points import NEW, Late, Point
from tables.line.windows import FOREVER, LONG_AGO

BLOCK_POINTS: Final = 32
"""Of a block at most: a new point writes its block again, some 180 bytes."""

_FOREVER, _BLOCK_POINTS = FOREVER, BLOCK_POINTS


class Block:
    """Points that follow one another: 9 bytes each.

    `base` tells the blocks of a timeline apart. None of its points lies before it, and none at or
    past the base of the next block. `told` are the codes that closed windows were told of, `NEW`
    for none; None where they are those of the block, always.
    """

    def __init__(
        self, base: int, times: array[int], codes: bytearray, told: bytearray | None = None
    ) -> None:
        self.base = base
        self.times = times
        self.codes = codes
        self.told = told
        self.latest = times[-1]
        """The time of the last point."""
        self.noted = 0
        """See `Timelines.note`."""

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Block):
            return NotImplemented
        return (self.times, self.codes, self.told) == (other.times, other.codes, other.told)

    __hash__ = None  # type: ignore[assignment]  # it changes

    def first_since(self, at: int) -> int:
        """Return how many points aren't past an instant: looked for from the last one on."""
        if at >= self.latest:
            return len(self.codes)
        place = len(self.codes) - 1
        while place > 0 and self.times[place - 1] > at:
            place -= 1
        return place


_base = attrgetter("base")


def _where_other(told: bytearray, codes: bytearray) -> bytearray | None:
    """Return what windows were told of, None where that is what the points say."""
    return None if told == codes else told


class Timeline:
    """Points by time, one at an instant; there is always one, but while it's made."""

    def __init__(self) -> None:
        self.blocks: list[Block] = []

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Timeline):
            return NotImplemented
        return [*self.points()] == [*other.points()]

    __hash__ = None  # type: ignore[assignment]  # it changes

    def __len__(self) -> int:
        return sum(len(block.times) for block in self.blocks)

    def points(self) -> Iterator[Point]:
        """Yield the points."""
        for block in self.blocks:
            yield from zip(block.times, block.codes, strict=True)

    def remembered(self, oldest: int, limit: int) -> Iterator[Point]:
        """Yield the points whose state doesn't end before `oldest`."""
        points = self.points()
        point = next(points, None)
        while point is not None:
            following = next(points, None)
            end = point[0] + limit
            if following is not None:
                end = min(end, following[0])
            if end >= oldest:
                yield point
            point = following

    def around(self, at: int) -> tuple[Point | None, int]:
        """Return the last point at or before an instant, and the time of the first one past it."""
        which, place = self._place(at)
        if which < 0:
            return None, FOREVER
        block = self.blocks[which]
        before = (block.times[place - 1], block.codes[place - 1]) if place else None
        if place < len(block.times):
            return before, block.times[place]
        following = self.blocks[which + 1 : which + 2]
        return before, following[0].times[0] if following else FOREVER

    def stretches(self, begin: int, end: int, limit: int) -> Iterator[tuple[int, int, int]]:
        """Yield (from, to, code) for each state that lasts between two instants.

        A state lasts until the next point, for `limit` at most.
        """
        which, place = self._place(begin)
        place = max(place - 1, 0)
        while 0 <= which < len(self.blocks):
            block, which = self.blocks[which], which + 1
            times = block.times
            following = self.blocks[which].times[0] if which < len(self.blocks) else FOREVER
            for index in range(place, len(times)):
                start = times[index]
                if start >= end:
                    return
                until = times[index + 1] if index + 1 < len(times) else following
                since, upto = max(start, begin), min(until, start + limit, end)
                if since < upto:
                    yield since, upto, block.codes[index]
            place = 0

    def lasted(self, begin: int, end: int, limit: int, length: int) -> dict[int, int]:
        """Return how long each state lasts between two instants, by window start + code.

        Windows are of one `length`, which is longer than codes are high.
        """
        found: dict[int, int] = {}
        which = self._block_for(begin)
        block = self.blocks[which]
        place = block.first_since(begin)
        place = place - 1 if place > 0 else 0
        while which < len(self.blocks):
            block, which = self.blocks[which], which + 1
            times, codes = block.times, block.codes
            start = times[place]
            for index in range(place, len(codes)):
                if start >= end:
                    return found
                if index + 1 < len(codes):
                    until = times[index + 1]
                elif which < len(self.blocks):
                    following: Block = self.blocks[which]
                    until = following.times[0]
                else:
                    until = _FOREVER
                since, upto = max(start, begin), min(until, start + limit, end)
                while since < upto:
                    window = since - since % length
                    stop = min(upto, window + length)
                    key = window + codes[index]
                    micros = stop - since
                    known = found.get(key)
                    found[key] = micros if known is None else known + micros
                    since = stop
                start = until
            place = 0
        return found

    def count_since(self, at: int) -> int:
        """Return how many points lie past an instant."""
        count, which = 0, len(self.blocks) - 1
        while which >= 0:
            block = self.blocks[which]
            place = block.first_since(at)
            count += len(block.codes) - place
            if place:
                break
            which -= 1
        return count

    def put(self, at: int, code: int, late: bool = False) -> set[int]:
        """Add a point, or replace that at its time; return the bases of the blocks that change.

        A `late` one is to be told to closed windows: see `late`.
        """
        told = bytearray([NEW]) if late else None
        if not self.blocks:
            self.blocks.append(Block(at, array("q", [at]), bytearray([code]), told))
            return {at}
        if not late and self.follow(at, code):
            return {self.blocks[-1].base}
        which = self._block_for(at)
        block = self.blocks[which]
        times = block.times
        if at > times[-1] and len(times) >= BLOCK_POINTS and which + 1 == len(self.blocks):
            self.blocks.append(Block(at, array("q", [at]), bytearray([code]), told))
            return {at}
        changed = {block.base}
        if late and block.told is None:
            block.told = bytearray(block.codes)
        place = bisect_left(times, at)
        if place < len(times) and times[place] == at:
            block.codes[place] = code
            if block.told is not None and not late:
                block.told[place] = code
            if block.told == block.codes:
                block.told = None
            return changed
        times.insert(place, at)
        block.codes.insert(place, code)
        if block.told is not None:
            block.told.insert(place, NEW if late else code)
        block.latest = times[-1]
        if at < block.base:
            block.base, block.noted = at, 0
            changed.add(at)
        if len(times) > BLOCK_POINTS:
            half = BLOCK_POINTS // 2
            later = Block(times[half], times[half:], block.codes[half:])
            del times[half:], block.codes[half:]
            block.latest = times[-1]
            if block.told is not None:
                told, block.told = block.told, _where_other(block.told[:half], block.codes)
                later.told = _where_other(told[half:], later.codes)
            self.blocks.insert(which + 1, later)
            changed.add(later.base)
        return changed

    def follow(self, at: int, code: int) -> bool:
        """Add a point behind all others to the last block; return whether it was, as most are."""
        if not self.blocks:
            return False
        block = self.blocks[-1]
        if at <= block.latest or len(block.codes) >= _BLOCK_POINTS:
            return False
        block.times.append(at)
        block.codes.append(code)
        block.latest = at
        if block.told is not None:
            block.told.append(code)
        return True

    def first_end(self, limit: int) -> int:
        """Return the end of the first point's state."""
        first = self.blocks[0].times[0]
        return min(self.around(first)[1], first + limit)

    def forget(self, oldest: int, limit: int) -> set[int]:
        """Drop the points whose state ends before `oldest`; return the bases of what changes."""
        changed = set()
        while self.blocks and self.first_end(limit) < oldest:
            block = self.blocks[0]
            changed.add(block.base)
            times = block.times
            following = self.blocks[1].times[0] if len(self.blocks) > 1 else FOREVER
            if block.told is not None:  # once windows have been told
                break
            gone = 0
            for index, start in enumerate(times):
                until = times[index + 1] if index + 1 < len(times) else following
                if min(until, start + limit) >= oldest:
                    break
                gone += 1
            del times[:gone], block.codes[:gone]
            if not times:
                del self.blocks[0]
        return changed

    def late(self, count_max: int, span_max: int) -> Late | None:
        """Return the first late points, `count_max` of them at most; None: there are none.

        They lie `span_max` apart at most.
        """
        before: Point | None = None
        points: list[tuple[int, int, int]] = []
        cut = False
        for number, block in enumerate(self.blocks):
            if block.told is None:
                if points:
                    return Late(before, points, block.times[0])
                continue
            if not points and number:
                one = self.blocks[number - 1]
                before = one.times[-1], one.codes[-1]
            for at, told, code in zip(block.times, block.told, block.codes, strict=True):
                if points and told != NEW and (told == code or cut):
                    return Late(before, points, at)
                if told == code:
                    before = at, code
                elif not cut:
                    cut = bool(points) and (
                        len(points) >= count_max or at - points[0][0] > span_max
                    )
                    if not cut:
                        points.append((at, told, code))
                    elif told != NEW:
                        return Late(before, points, at)
        return Late(before, points, FOREVER) if points else None

    def settle(self, upto: int) -> set[int]:
        """Note that windows have been told of the points up to an instant; return what changes."""
        changed = set()
        for block in self.blocks:
            if block.base > upto:
                break
            if block.told is not None:
                place = bisect_right(block.times, upto)
                block.told[:place] = block.codes[:place]
                if block.told == block.codes:
                    block.told = None
                changed.add(block.base)
        return changed

    def block(self, base: int) -> Block | None:
        """Return the block that a base tells of."""
        which = bisect_left(self.blocks, base, key=_base)
        if which < len(self.blocks) and self.blocks[which].base == base:
            return self.blocks[which]
        return None

    def _place(self, at: int) -> tuple[int, int]:
        """Return the block that an instant falls to, and how many of its points aren't past it."""
        if not self.blocks:
            return -1, 0
        which = self._block_for(at)
        return which, bisect_right(self.blocks[which].times, at)

    def _block_for(self, at: int) -> int:
        """Return the block that an instant falls to; most often it's the last one."""
        last = self.blocks[-1]
        if at >= last.base:
            return len(self.blocks) - 1
        return max(bisect_right(self.blocks, at, key=_base) - 1, 0)


class Timelines:
    """The timelines of a line's work units."""

    def __init__(self) -> None:
        self.units: dict[str, Timeline] = {}
        self.until = LONG_AGO
        """No state lasts longer than to here."""
        self.changed: set[tuple[str, int]] = set()
        """(work unit, base) of the blocks that differ from the store."""
        self.late: dict[str, tuple[int, int]] = {}
        """Work units with late points: they lie between these instants."""
        self.writes = 1
        """How often `changed` was emptied, and one."""

    def note(self, unit: str, block: Block) -> None:
        """Note that a block differs from the store: once until that has it."""
        if block.noted != self.writes:
            block.noted = self.writes
            self.changed.add((unit, block.base))

    def written(self) -> None:
        """Note that the store has all blocks as they are."""
        if self.changed:
            self.changed = set()
            self.writes += 1

    def note_late(self, unit: str, first: int, last: int) -> None:
        """Note that a work unit has late points between two instants."""
        known = self.late.get(unit, (first, last))
        self.late[unit] = min(first, known[0]), max(last, known[1])

    def __eq__(self, other: object) -> bool:
        return self.units == other.units if isinstance(other, Timelines) else NotImplemented

    __hash__ = None  # type: ignore[assignment]  # it changes
