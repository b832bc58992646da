"""EDGE: stretches of time as a table that a statement joins, and which are whole quarters."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from sqlalchemy import CTE, BigInteger, column, values

from tables.kpi.local_time import QUARTER

Numbered = tuple[int, int, int]
"""A number to tell stretches apart (several may have the same), and from when to when."""

CHUNK: Final = 1_000
"""Stretches in one statement: three values each, of 32,766 that SQLite takes."""


def table_of(stretches: Sequence[Numbered]) -> CTE:
    """Return stretches as a table with the columns `number`, `begin` and `end`."""
    return (
        values(
            column("number", BigInteger),
            column("begin", BigInteger),
            column("end", BigInteger),
            name="stretches",
        )
        .data(list(stretches))
        .cte("stretches")
    )


def in_chunks(stretches: Sequence[Numbered]) -> Iterator[Sequence[Numbered]]:
    """Yield stretches as many at a time as one statement takes."""
    for first in range(0, len(stretches), CHUNK):
        yield stretches[first : first + CHUNK]


def quarters_and_edges(
    stretches: Iterable[Numbered],
) -> tuple[list[Numbered], list[Numbered]]:
    """Return what of stretches are whole quarters of an hour, and what is left at their edges."""
    whole: list[Numbered] = []
    edges: list[Numbered] = []
    for number, begin, end in stretches:
        first, last = -(-begin // QUARTER) * QUARTER, end // QUARTER * QUARTER
        if first >= last:
            edges.append((number, begin, end))
            continue
        whole.append((number, first, last))
        if begin < first:
            edges.append((number, begin, first))
        if last < end:
            edges.append((number, last, end))
    return whole, edges
