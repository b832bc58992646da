"""Sums of billionths by number: of 128 bits each in compiled code (`sums.pyx`)."""

from collections.abc import Iterator


class Sums:
    """Sums of billionths by number, of which there are `count`; all begin at zero."""

    def __init__(self, count: int) -> None:
        self.count = count
        self._each = [0] * count

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[int]:
        return iter(self._each)

    def __getitem__(self, index: int) -> int:
        return self._each[self._place(index)]

    def __setitem__(self, index: int, number: int) -> None:
        self._each[self._place(index)] = number

    def __eq__(self, other: object) -> bool:
        return list(self) == list(other) if isinstance(other, Sums) else NotImplemented

    __hash__ = None  # type: ignore[assignment]  # they change

    def __repr__(self) -> str:
        return f"Sums({self._each})"

    def _place(self, index: int) -> int:
        if not 0 <= index < self.count:
            raise IndexError(f"sum {index} of {self.count}")
        return index


def add_to(sums: Sums, index: int, amount: int) -> None:
    """Add billionths to a sum."""
    sums[index] += amount


def at(sums: Sums, index: int) -> int:
    """Return a sum."""
    return sums[index]
