"""A worker may have as many files open as its system allows."""

import subprocess
import sys

SCRIPT = """
import resource
from agents.worker.descriptors import allow_all
resource.setrlimit(resource.RLIMIT_NOFILE, (100, 300))
print(allow_all())
"""


def test_the_soft_limit_is_raised_to_the_hard_one() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == "300\n"
