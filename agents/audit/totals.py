"""Adds up the measures of windowed records, and compares them with what the partitions emitted."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec
from msgspec import Struct

from agents.audit import findings
from agents.audit.findings import Differences
from streams.values import quantity
from tables.partition.partition import Partition
from tables.report import conservation_check

PLACES: Final = len(str(quantity.SCALE)) - 1
"""Decimal places of a billionth."""

Sums = Counter[tuple[str, str]]
"""Billionths by record type and measure."""

Decoders = Mapping[str, "msgspec.json.Decoder[Struct]"]
"""The decoder of the measures in a windowed record's `data`, by record type."""


def decoders(windowed: Mapping[str, Sequence[str]]) -> Decoders:
    """Return a decoder of the measures for each windowed record type.

    Most transactions can leave singly, too: then they have no `revision`, and belong to no row.
    """
    return {
        kind: msgspec.json.Decoder(
            msgspec.defstruct(
                "Measures", [*((name, str) for name in names), ("revision", int | None, None)]
            )
        )
        for kind, names in windowed.items()
    }


def is_of_a_window(kind: str, data: msgspec.Raw, by_type: Decoders) -> bool:
    """Return whether a record is a row of a window; raises `ValueError` if it can't be read."""
    decoder = by_type.get(kind)
    return decoder is not None and getattr(decoder.decode(data), "revision", None) is not None


def add_up(sums: Sums, kind: str, data: msgspec.Raw, by_type: Decoders) -> None:
    """Add a windowed record's measures to the sums; raises `ValueError` if one isn't a number."""
    decoder = by_type.get(kind)
    if decoder is not None:
        measures = decoder.decode(data)
        *names, revision = measures.__struct_fields__
        if getattr(measures, revision) is None:
            return
        for name in names:
            sums[kind, name] += billionths(getattr(measures, name))


def billionths(text: str) -> int:
    """Return a measure in billionths, of any size (sums have no bound); raises `ValueError`."""
    whole, _, fraction = text.partition(".")
    if not whole or len(fraction) > PLACES:
        raise ValueError(f"{text!r} isn't a measure")
    return int(whole + fraction.ljust(PLACES, "0"))


def check_totals(partitions: Iterable[Partition], found: Sums, differences: Differences) -> int:
    """Check the law of conservation against the records; return the number of measures checked.

    `found` are the sums of the records that were found or are still to come.
    """
    rows = conservation_check(partitions)["rows"]
    for row in rows:
        if row["error"] != "0":
            right = [billionths(row[name]) for name in ("emitted", "open", "parked")]
            sides = row["accepted"], quantity.text(sum(right))
            differences.note(findings.totals(row["type"], row["measure"], *sides))
    emitted = Sums()
    for row in rows:
        emitted[row["type"], row["measure"]] += billionths(row["emitted"])
    for kind, measure in sorted(emitted.keys() | found.keys()):
        expected, sum_ = emitted[kind, measure], found[kind, measure]
        if expected != sum_:
            sides = quantity.text(expected), quantity.text(sum_)
            differences.note(findings.totals(kind, measure, *sides))
    return len({(row["type"], row["measure"]) for row in rows})
