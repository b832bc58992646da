"""Each kind of key in a state has a prefix of its own, also beside what Kafka keeps there."""

from itertools import permutations

from runs import Bench, consumed
from streams.kafka.writer import FENCE, ORIGIN, POSITION
from tables.known import known
from tables.partition import parking, stored
from tables.store.binding import BINDING
from tables.store.store import HEAD

SINGLE = {"head": HEAD, "binding": BINDING, "position": POSITION, "origin": ORIGIN}
"""Keys of one entry each."""

PREFIXES = {
    "fence": FENCE,
    "ledger": b"l",
    "line": stored.LINE,
    "episode": stored.EPISODE,
    "window": stored.WINDOW,
    "final": stored.FINAL,
    "expiry": stored.EXPIRY,
    "points": stored.POINTS,
    "parked": parking.PARKED,
    "group": parking.GROUP,
    **{f"fact {kind}": known.FACT + letter for kind, letter in known.LETTERS.items()},
}


def test_no_key_of_one_kind_is_taken_for_another_kind() -> None:
    for one, other in permutations(PREFIXES, 2):
        assert not PREFIXES[one].startswith(PREFIXES[other]), (one, other)
    for name, key in SINGLE.items():
        for kind, prefix in PREFIXES.items():
            assert not key.startswith(prefix), (name, kind)


def test_every_prefix_is_told() -> None:
    """A new one is a constant of a byte where the others are: it has to be added above."""
    for module in (stored, parking, known):
        told = {
            value
            for name, value in vars(module).items()
            if name.isupper() and isinstance(value, bytes) and len(value) == 1
        }
        assert told <= {prefix[:1] for prefix in (*PREFIXES.values(), *SINGLE.values())}, module
    bench = Bench()
    bench.send(consumed(0))
    begun = {key[:1] for key, _ in bench.store.scan(b"")}
    assert begun <= {prefix[:1] for prefix in (*PREFIXES.values(), *SINGLE.values())}
    assert PREFIXES["ledger"] in begun
