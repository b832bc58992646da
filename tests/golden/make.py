"""Makes the expected side of the golden pairs: what `oracle_v2` says of each log.

    python tests/golden/make.py

A pair is read by a person against the contract before it is committed. The wording of a refusal is
nobody's promise, so it is left out.
"""

import json
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent

sys.path.insert(0, str(HERE.parent))

from oracle_v2 import replay  # noqa: E402


def expected(log: Path) -> dict[str, bytes]:
    """Return the files that a log gives, by name; topics without a record have none."""
    with log.open("rb") as lines:
        result = replay(lines)
    files = {
        f"{topic}.ndjson": b"".join(_line(record) for record in records)
        for topic, records in result.topics.items()
    }
    report = {name: result.report[name] for name in ("counts", "exceptions", "passed_over")}
    files["report.json"] = json.dumps(report, indent=2).encode() + b"\n"
    return files


def _line(record: dict[str, Any]) -> bytes:
    record["data"].pop("reason" if record["type"] == "exception.raised.v1" else None, None)
    return json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def main() -> None:
    for log in sorted(HERE.glob("*/log.ndjson")):
        folder = log.parent / "expected"
        folder.mkdir(exist_ok=True)
        for stale in folder.iterdir():
            stale.unlink()
        for name, content in expected(log).items():
            (folder / name).write_bytes(content)


if __name__ == "__main__":
    main()
