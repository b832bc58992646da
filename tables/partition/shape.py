"""The shape of a state: what its sums, keys and ledger depend on, and which changes it can bear."""

from collections.abc import Iterator
from typing import Final, Literal

from msgspec import Struct
from msgspec.structs import replace

from streams.values.instant import SECOND
from tables.line.rules import Rules

GONE_MAX: Final = 100
"""At most this many record types that the policy no longer has are remembered: each takes some
hundred bytes of every write."""


class KindShape(Struct, array_like=True, frozen=True, forbid_unknown_fields=True):
    """A windowed record type: what lies under its `short`, with sums in the order of `measures`."""

    short: str
    record: str
    length: int
    row: tuple[str, ...]
    measures: tuple[str, ...]
    earlier: tuple[tuple[str, ...], ...] = ()
    """Rows that it had before: stored rows of such a length lack the members that came since."""


class Shape(Struct, array_like=True, frozen=True, forbid_unknown_fields=True):
    """What a state was made with; lengths in microseconds."""

    kinds: tuple[KindShape, ...]
    grace: int
    episode_limit: int
    retention: int
    bucket: int
    gone: tuple[KindShape, ...] = ()
    """Record types that the policy no longer has. Their shorts stay theirs: lines that haven't been
    written since still have sums under them, and posting keys begin with them."""
    by_window: tuple[str, ...] | None = None
    """Record types for the ERP that go by window in the settings; None: those of `kinds`."""
    state_limit: int = 0
    """0: of a state that knows no timelines of machine states."""


class Words(Struct, frozen=True):
    """What the sentences on differences call things, and what else is asked of the policy."""

    source: str = "mes"
    """The topic, as the setting of its retention calls it."""
    posting: frozenset[str] = frozenset()
    """Record types of posting windows; those of the others are summary windows."""
    at_once: frozenset[str] = frozenset()
    """Record types that leave at once."""


class Difference(Struct, frozen=True):
    """One difference between two shapes; `text` says what the state was made with.

    - `allowed`: what is new begins at nothing, and all that is there keeps its meaning.
    - `if_closed`: a record type is gone, which loses nothing once no window of it is open.
    - `refused`: what is there would change its meaning.
    """

    text: str
    verdict: Literal["allowed", "if_closed", "refused"]
    short: str = ""
    """Of the record type that is gone."""


def shape_of(rules: Rules) -> Shape:
    """Return the shape of a new state with these rules."""
    return Shape(
        kinds=tuple(
            KindShape(kind.short, kind.record, kind.length, kind.row, kind.measures)
            for kind in rules.kinds
        ),
        grace=rules.grace,
        episode_limit=rules.episode_limit,
        retention=rules.retention,
        bucket=rules.bucket,
        by_window=tuple(sorted(rules.by_window)),
        state_limit=rules.state_limit,
    )


def differences(before: Shape, now: Shape, words: Words) -> list[Difference]:
    """Return what differs between the shape of a state and that of the rules it is to go on with.

    The order of record types makes no difference: sums and windows lie under their shorts.
    """
    return [
        *_lengths(before, now, words),
        *_windows(before, now, words),
        *_kinds(before, now, words),
        *_whens(before, now, words),
    ]


def grown(before: Shape, now: Shape) -> Shape:
    """Return the shape of a state that goes on with new rules: `now`, and what is gone."""
    shorts = {kind.short for kind in now.kinds}
    gone = tuple(kind for kind in (*before.gone, *before.kinds) if kind.short not in shorts)
    was = {kind.short: kind for kind in (*before.gone, *before.kinds)}
    kinds = tuple(_with_earlier(was.get(kind.short), kind) for kind in now.kinds)
    by_window = now.by_window
    if gone and by_window is not None:  # how they went is asked when they come back
        went = _by_window(before)
        by_window = tuple(sorted({*by_window, *(one.record for one in gone if one.record in went)}))
    return replace(now, kinds=kinds, gone=gone, by_window=by_window)


def _by_window(shape: Shape) -> tuple[str, ...]:
    """Return the ERP record types that went by window: before contract v2 all of `kinds`."""
    if shape.by_window is not None:
        return shape.by_window
    every = (*shape.gone, *shape.kinds)
    return tuple(kind.record for kind in every if kind.record.startswith("erp."))


def _whens(before: Shape, now: Shape, words: Words) -> Iterator[Difference]:
    # What left at once would be reversed by a row, or the other way round.
    by_window = _by_window(before)
    told = {kind.record for kind in (*before.gone, *before.kinds)}
    for record in sorted(words.posting):
        if before.by_window is not None and record not in told:
            continue  # it is new
        was, is_ = record in by_window, record in (now.by_window or ())
        if was != is_:
            change = "by window (now at once" if was else "at once (now by window"
            yield _refused(
                f"a policy with {record} {change}: a reference.rules.v1 can change that)"
            )


def rows_before(shape: Shape) -> dict[tuple[str, int], tuple[str, ...]]:
    """Return the rows that record types have in a state, by short and number of members."""
    return {
        (kind.short, len(row)): row
        for kind in (*shape.gone, *shape.kinds)
        for row in (*kind.earlier, kind.row)
    }


def _with_earlier(was: KindShape | None, now: KindShape) -> KindShape:
    if was is None:
        return now
    rows = was.earlier if was.row == now.row else (*was.earlier, was.row)
    return replace(now, earlier=rows)


def _lengths(before: Shape, now: Shape, words: Words) -> Iterator[Difference]:
    # With another one a window could close twice under one key, or a repeat be accepted whose
    # entry is gone already.
    for name, was, is_ in (
        ("grace", before.grace, now.grace),
        ("episode_limit", before.episode_limit, now.episode_limit),
        ("state_limit", before.state_limit or now.state_limit, now.state_limit),
        ("ledger_bucket", before.bucket, now.bucket),
    ):
        if was != is_:
            more = ": a reference.timing.v1 can change that" if name == "grace" else ""
            yield _refused(f"{name}_seconds {_seconds(was)} (now {_seconds(is_)}{more})")
    if before.retention != now.retention:
        name, was, is_ = f"{words.source}_retention", before.retention, now.retention
        told = f"{name}_seconds {_seconds(was)} (now {_seconds(is_)})"
        yield Difference(told, "allowed") if was < is_ else _refused(told)


def _windows(before: Shape, now: Shape, words: Words) -> Iterator[Difference]:
    lengths = {kind.short: kind.length for kind in (*before.gone, *before.kinds)}
    texts = {}
    for kind in now.kinds:
        was = lengths.get(kind.short, kind.length)
        if was != kind.length:
            name = "posting" if kind.record in words.posting else "summary"
            told = f"{name}_window_seconds {_seconds(was)} (now {_seconds(kind.length)})"
            texts[told] = _refused(told)
    yield from texts.values()


def _kinds(before: Shape, now: Shape, words: Words) -> Iterator[Difference]:
    was_there = {kind.short: kind for kind in (*before.gone, *before.kinds)}
    gone = {kind.short for kind in before.gone}
    for kind in now.kinds:
        was = was_there.pop(kind.short, None)
        if was is None:
            yield Difference(f"a policy without {kind.record}", "allowed")
        else:
            if kind.short in gone:
                yield Difference(f"a policy without {kind.record}", "allowed")
            yield from _kind(was, kind)
    for kind in was_there.values():
        if kind.record in words.at_once:  # a reversal would name a record that never left
            yield _refused(f"a policy with {kind.record} by window (now at once)")
        elif kind.short not in gone:
            yield Difference(f"a policy with {kind.record}", "if_closed", kind.short)
    if len(was_there) > GONE_MAX:
        yield _refused(f"{len(was_there)} record types that are gone: at most {GONE_MAX} may be")


def _kind(was: KindShape, now: KindShape) -> Iterator[Difference]:
    if was.record != now.record:
        yield _refused(f"a policy with {was.record} as {was.short!r} (now {now.record})")
        return
    if was.row != now.row:
        if _is_grown(was.row, now.row):
            for member in now.row:
                if member not in was.row:
                    yield Difference(f"a policy without {member} in {was.record}", "allowed")
        else:
            yield _refused(
                f"a policy with the row {_listed(was.row)} of {was.record} (now {_listed(now.row)})"
            )
    if was.measures != now.measures[: len(was.measures)]:
        yield _refused(
            f"a policy with the measures {_listed(was.measures)} of {was.record} "
            f"(now {_listed(now.measures)}; a new one goes to the end)"
        )
    else:
        for measure in now.measures[len(was.measures) :]:
            yield Difference(f"a policy without the measure {measure} of {was.record}", "allowed")


def _is_grown(was: tuple[str, ...], now: tuple[str, ...]) -> bool:
    """Return whether a row has gained members, and has the others in their order."""
    return len(was) < len(now) and tuple(name for name in now if name in was) == was


def _refused(text: str) -> Difference:
    return Difference(text, "refused")


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(names)


def _seconds(micros: int) -> str:
    return f"{micros / SECOND:g}"
