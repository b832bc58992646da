"""How many connections to the page there may be, and which one goes for another."""

import logging
import resource
from collections import Counter
from time import monotonic
from typing import Final, Protocol

CONNECTIONS_MAX: Final = 250
"""Each takes a file descriptor, which the states need, too."""

DESCRIPTORS_SHARE: Final = 4
"""Connections take no more than this part of the descriptors that a process may have: a fourth."""

ADDRESS_SHARE: Final = 0.8
"""Of the connections, for one address: behind an ingress everybody is one, so it has most of them;
some are left for whoever comes from elsewhere."""

TELL_SECONDS: Final = 60.0
"""Between two lines of the log about connections that had to go."""

IDLE, ANSWERED, LISTENING = range(3)
"""Without a whole request; with one that is being answered; with one that is answered for long."""

log = logging.getLogger("lineside.page")


class Connection(Protocol):
    """What there is to know of a connection."""

    address: str
    doing: int
    """`IDLE`, `ANSWERED` or `LISTENING`: who goes first."""

    def hang_up(self) -> None:
        """Close it at once, whatever is still to be sent."""
        ...


class Connections:
    """Those that are there, by when they last did something.

    Whoever comes is let in, so that a probe always is: past the bound of its address, or of all,
    the one that has been silent for longest goes. A probe asks as soon as it's there, and idle ones
    go first, so none goes before it's answered, however many others hold a connection.
    """

    def __init__(self, descriptors: int) -> None:
        """Take how many descriptors the process may have."""
        self.most = max(min(CONNECTIONS_MAX, descriptors // DESCRIPTORS_SHARE), 1)
        self.most_of_address = max(int(self.most * ADDRESS_SHARE), 1)
        self._there: dict[Connection, None] = {}
        self._of_address: Counter[str] = Counter()
        self._gone = 0
        self._told_at = -TELL_SECONDS

    def __len__(self) -> int:
        return len(self._there)

    def add(self, one: Connection) -> None:
        """Let one in; hang up on another if that is too many."""
        if self._of_address[one.address] >= self.most_of_address:
            self._drop(one.address)
        elif len(self._there) >= self.most:
            self._drop(None)
        self._there[one] = None
        self._of_address[one.address] += 1

    def touch(self, one: Connection) -> None:
        """Note that a connection did something."""
        if one in self._there:
            del self._there[one]
            self._there[one] = None

    def remove(self, one: Connection) -> None:
        """Forget one that is closed, if it's still there."""
        if one in self._there:
            del self._there[one]
            self._of_address[one.address] -= 1
            if not self._of_address[one.address]:
                del self._of_address[one.address]

    def _drop(self, address: str | None) -> None:
        """Hang up on the one to go, of an address or of all."""
        found: Connection | None = None
        for one in self._there:
            if address is not None and one.address != address:
                continue
            if found is None or one.doing < found.doing:
                found = one
                if one.doing == IDLE:
                    break
        assert found is not None, "nothing is past a bound of 1 or more"
        self.remove(found)
        found.hang_up()
        self._tell()

    def _tell(self) -> None:
        self._gone += 1
        if monotonic() - self._told_at >= TELL_SECONDS:
            log.warning(
                "%d connections had to go for others: there are %d at most, and %d of one address",
                self._gone, self.most, self.most_of_address,
            )  # fmt: skip
            self._gone, self._told_at = 0, monotonic()


def descriptors_max() -> int:
    """Return how many descriptors this process may have."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return CONNECTIONS_MAX * DESCRIPTORS_SHARE if soft == resource.RLIM_INFINITY else soft
