"""The chaos suite: faults on real brokers and real workers, and what came of it, in a table.

    python tests/kafka/chaos.py [--events N] [--kills N] [--rebalances N] [--cases a,b]
                                [--guarantee g] [--out results.json] [--out page.md]

What left is held against `lineside replay` of the same input topics, record by record.
"""

import argparse
import json
import logging
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Final

sys.path.insert(0, str(Path(__file__).parent.parent))

from chaos_cases import CASES
from chaos_suite import GUARANTEES, Result, Size, Suites
from chaos_table import document, keep, merged, table

SESSION_SECONDS: Final = 8.0
"""A worker's default."""


def arguments_of(given: Sequence[str] | None = None) -> argparse.Namespace:
    """Return what was asked for."""
    parser = argparse.ArgumentParser(
        prog="chaos.py", description="Faults on real brokers and real workers; 0 if all is exact."
    )
    parser.add_argument("--events", type=int, default=1_000_000, help="of each case's log")
    parser.add_argument("--kills", type=int, default=CASES["kill"].faults)
    parser.add_argument("--rebalances", type=int, default=CASES["rebalance"].faults)
    parser.add_argument("--faults", type=int, help="of each other case, instead of its own number")
    parser.add_argument(
        "--scale", type=float, default=1.0, help="of floods and bombs: 1 is what the docs name"
    )
    parser.add_argument(
        "--cases", type=lambda text: text.split(","), default=list(CASES),
        help=", ".join(CASES),
    )  # fmt: skip
    parser.add_argument("--guarantee", choices=GUARANTEES, help="only this one")
    parser.add_argument(
        "--session", type=float, default=SESSION_SECONDS, help="session_timeout_seconds"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--out",
        type=Path,
        action="append",
        default=[],
        help="a .json or .md file; repeatable; what a .json file has of other cases is kept",
    )
    arguments = parser.parse_args(given)
    for name in arguments.cases:
        if name not in CASES:
            parser.error(f"--cases: {name!r} is none of {', '.join(CASES)}")
    return arguments


def main() -> int:
    """Run what was asked for; return the exit code."""
    arguments = arguments_of()
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # brokers that are away are meant
    counts = {"kill": arguments.kills, "rebalance": arguments.rebalances}
    results: list[Result] = []
    earlier = [
        one
        for path in arguments.out
        if path.suffix == ".json" and path.exists()
        for one in json.loads(path.read_bytes())["results"]
    ]
    size = Size(arguments.events, arguments.session, arguments.scale, arguments.seed)
    with Suites(size) as suites:
        for name in arguments.cases:
            for guarantee in [arguments.guarantee] if arguments.guarantee else GUARANTEES:
                case = CASES[name]
                faults = counts.get(name, arguments.faults or case.faults)
                results.append(suites.of(case).run(case, guarantee, faults))
                page = document(results, arguments.session)
                page["results"] = merged(earlier, page["results"])
                for path in arguments.out:
                    keep(path, page)
    print(table([asdict(result) for result in results]))
    return 0 if all(result.good for result in results) else 1


if __name__ == "__main__":
    sys.exit(main())
