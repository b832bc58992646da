"""Each kind of key in a state has a prefix of its own, also beside what Kafka keeps there."""

import ast
from collections.abc import Iterator
from itertools import permutations
from pathlib import Path

from streams.kafka.writer import ORIGIN
from tables.known import known
from tables.line.ledger import PREFIX

ROOT = Path(__file__).parent.parent.parent


def letters(path: Path) -> Iterator[tuple[str, bytes]]:
    """Yield the constants of a module that are one byte, and their names."""
    for node in ast.parse(path.read_text()).body:
        value = node.value if isinstance(node, ast.AnnAssign | ast.Assign) else None
        letter = value.value if isinstance(value, ast.Constant) else None
        if isinstance(letter, bytes) and len(letter) == 1:
            target = node.target if isinstance(node, ast.AnnAssign) else node.targets[0]
            yield ast.unparse(target), letter


def test_no_key_of_one_kind_is_taken_for_another_kind() -> None:
    paths = [ROOT / "streams/kafka/writer.py", *sorted((ROOT / "tables").rglob("*.py"))]
    told = [each for path in paths for each in letters(path)]
    names = dict(told)
    assert len(names) == len(told)
    assert {"HEAD", "BINDING", "LINE", "EPISODE", "WINDOW", "FINAL", "EXPIRY", "POINTS", "PARKED",
            "GROUP", "FENCE", "POSITION"} <= names.keys()  # fmt: skip
    assert (names.pop("ORIGIN"), names.pop("FACT")) == (ORIGIN, known.FACT)
    names["PREFIX"] = PREFIX.encode()
    # One key is a fact's first letter alone: a fact's second one says its kind.
    names |= {f"FACT {kind}": known.FACT + letter for kind, letter in known.LETTERS.items()}
    for one, other in permutations(names, 2):
        assert not names[one].startswith(names[other]), (one, other)
    assert not any(ORIGIN.startswith(prefix) for prefix in names.values())
