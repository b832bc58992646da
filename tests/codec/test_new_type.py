"""An event type that is new in `streams.contract.events` is read right by every reader at once."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from compiled import needs_core
from streams.contract import events

BEFORE = "\nclass Tick(Struct,"
"""The line of events.py before which a type is added."""

NEW = """
class SetupPerformedData(Data):
    ABSENT: ClassVar[Mapping[str, str]] = {"extent": "whole"}

    order: Name
    seconds: Measure
    checked: bool
    spoilt: Measure | None = None
    warm: bool | None = None
    extent: Literal["part", "whole"] | None = None


class SetupPerformed(Event, tag="setup.performed.v1"):
    REVERSIBLE: ClassVar[bool] = True

    data: SetupPerformedData

"""

READ = r"""
import json, sys, types
from pathlib import Path

module = types.ModuleType("streams.contract.events")
sys.modules[module.__name__] = module
exec(compile(Path(sys.argv[1]).read_text("utf-8"), sys.argv[1], "exec"), vars(module))

from streams.codec.decode import decode, decode_plain
try:
    from streams.codec.scanning import scanned
except ImportError:
    scanned = None

def told(event):
    if event.__class__ is not module.SetupPerformed:
        return event.code
    names = event.data.__struct_fields__
    given = {name: getattr(event.data, name) for name in names}
    return {name: value for name, value in given.items() if value is not None}

for line in sys.stdin:
    value = json.loads(line).encode()
    found = [told(read(value, (), None)) for read in (decode, decode_plain)]
    if scanned is not None:
        event = scanned(value, "mes.events.v1")
        found.append(event and event[-1])
    print(json.dumps(found))
"""
"""Reads events with another events.py in place; a line is [decode, decode_plain, scanned]."""

BILLION = 10**9

CASES: list[tuple[dict[str, Any], Any]] = [
    (
        {"seconds": "12.5", "checked": False},
        {"seconds": 12_500_000_000, "checked": False},
    ),
    (
        {"seconds": 3, "checked": True, "spoilt": "0.25", "warm": False},
        {"seconds": 3 * BILLION, "checked": True, "spoilt": BILLION // 4},
    ),
    (
        {"seconds": -1.5, "checked": True, "spoilt": None, "warm": True},
        {"seconds": -3 * BILLION // 2, "checked": True, "warm": True},
    ),
    (
        {"seconds": 1, "checked": True, "extent": "part"},
        {"seconds": BILLION, "checked": True, "extent": "part"},
    ),
    ({"seconds": 1, "checked": True, "extent": "none"}, "invalid"),
    ({"seconds": None, "checked": True}, "invalid"),
    ({"seconds": "12,5", "checked": True}, "invalid"),
    ({"seconds": 1, "checked": True, "spoilt": "many"}, "invalid"),
    ({"seconds": 1, "checked": "yes"}, "invalid"),
]


@pytest.fixture(scope="module")
def read(tmp_path_factory: pytest.TempPathFactory) -> list[list[Any]]:
    """Return what each reader makes of each case, with the new type added to events.py alone."""
    text = Path(events.__file__).read_text("utf-8")
    assert text.count(BEFORE) == 1
    text = text.replace(BEFORE, NEW + BEFORE)
    values = [
        json.dumps(
            {
                "specversion": "1.0", "type": "setup.performed.v1", "source": "/mes", "id": "1",
                "time": "2026-11-21T06:00:00Z", "plant": "DE01", "line": "L1",
                "data": {"order": "O1", **data},
            }
        )
        for data, _ in CASES
    ]  # fmt: skip
    source = tmp_path_factory.mktemp("events") / "events.py"
    source.write_text(text, "utf-8")
    done = subprocess.run(
        [sys.executable, "-c", READ, source],
        input="\n".join(map(json.dumps, values)),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert not done.returncode, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def wanted(found: Any) -> Any:
    return {"order": "O1", "extent": "whole", **found} if isinstance(found, dict) else found


@pytest.mark.parametrize("number", range(len(CASES)))
def test_a_new_type_with_a_measure_is_read_by_the_codec_without_another_line(
    read: list[list[Any]], number: int
) -> None:
    fast, plain, *_ = read[number]
    assert fast == plain == wanted(CASES[number][1])


@pytest.mark.parametrize("number", range(len(CASES)))
def test_and_by_the_scanner(read: list[list[Any]], number: int) -> None:
    needs_core()
    *_, scanned = read[number]
    told = wanted(CASES[number][1])
    assert scanned == (None if isinstance(told, str) else told)  # what it leaves the codec refuses
