"""An overlay reads like a dict with all that was held; its store has only what was settled."""

from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st

from compiled import needs_core
from tables.store import overlay as overlays
from tables.store.overlay import Overlay
from tables.store.store import Change, MemoryStore

keys = st.builds(
    bytes.__add__,
    st.sampled_from([b"l", b"w", b"\xff"]),
    st.sampled_from([b"", b"a", b"a\0", b"ab", b"\xff"]),
)
prefixes = st.just(b"") | keys
changes = st.lists(st.tuples(keys, st.none() | st.binary(max_size=2)), max_size=6)
operations = st.one_of(
    st.tuples(st.just("hold"), changes),
    st.tuples(st.just("settle"), st.integers(0, 4), changes),
    st.tuples(st.just("write"), changes),
)

# Laws.


@given(st.lists(st.tuples(operations, st.lists(keys, max_size=5), prefixes), max_size=20))
def test_an_overlay_answers_as_a_dict_and_its_store_as_one_without_what_is_held(
    done: list[tuple[tuple[str, int, list[Change]], list[bytes], bytes]],
) -> None:
    store = MemoryStore()
    overlay = Overlay(store)
    lasting: list[list[Change]] = []
    held: list[list[Change]] = []
    for (name, *arguments), wanted, prefix in done:
        more = arguments[-1]
        if name == "hold":
            overlay.hold(dict(more))
            held.append(more)
        elif name == "write":
            overlay.write(more)
            lasting.append(more)
        else:
            count = min(arguments[0], len(held))
            overlay.settle(count, overlay.merged(count), more)
            lasting += [*held[:count], more]
            del held[:count]
        seen, there = applied([*lasting, *held]), applied(lasting)
        assert overlay.get_many(wanted) == [seen.get(key) for key in wanted]
        assert list(overlay.scan(prefix)) == under(prefix, seen)
        for after in wanted:
            behind = [pair for pair in under(prefix, seen) if pair[0] > after]
            assert list(overlay.scan(prefix, after)) == behind
        assert list(store.scan(b"")) == under(b"", there)


@given(st.lists(keys, max_size=6), changes)
def test_held_changes_are_laid_over_as_plainly(wanted: list[bytes], more: list[Change]) -> None:
    needs_core()
    found: list[list[bytes | None]] = [[b"stored"] * len(wanted) for _ in range(2)]
    overlays.lay_over(found[0], wanted, dict(more))
    overlays.lay_over_plain(found[1], wanted, dict(more))
    assert found[0] == found[1]


@given(st.lists(changes, max_size=6), st.integers(0, 6))
def test_what_some_held_changes_amount_to_is_what_they_do_one_after_the_other(
    held: list[list[Change]], count: int
) -> None:
    overlay = Overlay(MemoryStore())
    for each in held:
        overlay.hold(dict(each))
    merged = overlay.merged(count)
    assert dict(merged) == dict(change for each in held[:count] for change in each)
    assert len(dict(merged)) == len(merged)


# Examples.


def test_a_key_forgotten_on_top_isnt_found_below() -> None:
    store = MemoryStore()
    store.write([(b"a", b"1"), (b"ab", b"2")])
    overlay = Overlay(store)
    overlay.hold({b"a": None})
    assert overlay.get_many([b"a", b"ab"]) == [None, b"2"]
    assert list(overlay.scan(b"a")) == [(b"ab", b"2")]


def test_what_is_held_when_it_closes_is_forgotten() -> None:
    store = MemoryStore()
    overlay = Overlay(store)
    overlay.hold({b"a": b"1"})
    overlay.hold({b"b": b"2"})
    overlay.settle(1, overlay.merged(1))
    overlay.close()
    assert list(store.scan(b"")) == [(b"a", b"1")]


def applied(done: Iterable[Iterable[Change]]) -> dict[bytes, bytes]:
    """Return what a plain dict has after all of these changes."""
    model: dict[bytes, bytes] = {}
    for each in done:
        for key, value in each:
            if value is None:
                model.pop(key, None)
            else:
                model[key] = value
    return model


def under(prefix: bytes, model: dict[bytes, bytes]) -> list[tuple[bytes, bytes]]:
    """Return the entries with a prefix, in the order of their keys."""
    return sorted((key, value) for key, value in model.items() if key.startswith(prefix))
