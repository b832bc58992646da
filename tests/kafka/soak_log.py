"""Writes the soak's log, as the chaos suite's, to the standard output, as it is made.

    python tests/kafka/soak_log.py --events N [--seed S] --every LINES --lasts LINES

A hold is placed every so many lines, about, and released as many lines later as it lasts.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from chaos_log import made, with_holds


def main() -> None:
    """Write it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--events", type=int, required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--every", type=int, required=True)
    parser.add_argument("--lasts", type=int, required=True)
    asked = parser.parse_args()
    lines = made(asked.seed, asked.events)
    sys.stdout.buffer.writelines(with_holds(lines, asked.every, asked.lasts))


if __name__ == "__main__":
    main()
