"""The options that benchmarks on Kafka share."""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from measure import RESULTS

GUARANTEES: Final = ("at_least_once", "exactly_once")


def add_stand_options(parser: argparse.ArgumentParser, rounds: int = 3) -> None:
    """Add the options that all benchmarks on Kafka have."""
    parser.add_argument("--broker", metavar="URL", help="one that runs, instead of its own")
    parser.add_argument("--partitions", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=rounds)
    parser.add_argument("--results", type=Path, default=RESULTS, metavar="DIR")


def add_guarantees(parser: argparse.ArgumentParser) -> None:
    """Add the option that says with which guarantees to measure: both, if it isn't given."""
    parser.add_argument("--guarantees", type=some_of(GUARANTEES), default=list(GUARANTEES))


def some_of(known: Sequence[str]) -> Callable[[str], list[str]]:
    """Return what reads "A,B" for argparse, where each has to be one of those known."""

    def read(text: str) -> list[str]:
        found = text.split(",")
        for name in found:
            if name not in known:
                raise argparse.ArgumentTypeError(f"{name!r} is none of {', '.join(known)}")
        return found

    return read
