"""How many connections to the page there may be, and which one is closed to let another in."""

import logging
import resource
from collections import Counter
from time import monotonic
from typing import Final, Protocol

CONNECTIONS_MAX: Final = 250
"""Each connection takes a file descriptor, and the states need descriptors, too."""

DESCRIPTORS_SHARE: Final = 4
"""Connections take at most the process's limit of descriptors divided by this: a fourth."""

ADDRESS_SHARE: Final = 0.8
"""The share of one address. Behind an ingress all clients have one address, so it gets most of the
connections; the rest is for clients from elsewhere."""

LOG_SECONDS: Final = 60.0
"""Between two lines of the log about connections that were closed."""

IDLE, ANSWERED, LISTENING = range(3)
"""No whole request yet; a request is being answered; the answer is a long stream."""

log = logging.getLogger("lineside.page")


class Connection(Protocol):
    """A connection, as far as `Connections` needs to know it."""

    address: str
    doing: int
    """`IDLE`, `ANSWERED` or `LISTENING`: lower ones are closed first."""

    def hang_up(self) -> None:
        """Close the connection at once, even if not everything has been sent."""
        ...


class Connections:
    """The open connections, in the order of their last activity.

    Every new connection is let in, so that a probe always is. Past the bound of its address, or of
    all, the one that was silent longest is closed, idle ones first. A probe asks as soon as it is
    connected, so it is answered before it is closed, however many others hold a connection.
    """

    def __init__(self, descriptors: int) -> None:
        """Take how many descriptors the process may have."""
        self.most = max(min(CONNECTIONS_MAX, descriptors // DESCRIPTORS_SHARE), 1)
        self.most_of_address = max(int(self.most * ADDRESS_SHARE), 1)
        self._open: dict[Connection, None] = {}
        self._of_address: Counter[str] = Counter()
        self._closed = 0
        self._logged_at = -LOG_SECONDS

    def __len__(self) -> int:
        return len(self._open)

    def add(self, one: Connection) -> None:
        """Let a connection in; close another one if there are too many."""
        if self._of_address[one.address] >= self.most_of_address:
            self._drop(one.address)
        elif len(self._open) >= self.most:
            self._drop(None)
        self._open[one] = None
        self._of_address[one.address] += 1

    def touch(self, one: Connection) -> None:
        """Note that a connection did something."""
        if one in self._open:
            del self._open[one]
            self._open[one] = None

    def remove(self, one: Connection) -> None:
        """Forget a closed connection, if it is known."""
        if one in self._open:
            del self._open[one]
            self._of_address[one.address] -= 1
            if not self._of_address[one.address]:
                del self._of_address[one.address]

    def _drop(self, address: str | None) -> None:
        """Close one connection: of an address, or of all."""
        found: Connection | None = None
        for one in self._open:
            if address is not None and one.address != address:
                continue
            if found is None or one.doing < found.doing:
                found = one
                if one.doing == IDLE:
                    break
        assert found is not None, "nothing is past a bound of 1 or more"
        self.remove(found)
        found.hang_up()
        self._log_closed()

    def _log_closed(self) -> None:
        self._closed += 1
        if monotonic() - self._logged_at >= LOG_SECONDS:
            log.warning(
                "%d connections had to go for others: there are %d at most, and %d of one address",
                self._closed, self.most, self.most_of_address,
            )  # fmt: skip
            self._closed, self._logged_at = 0, monotonic()


def descriptors_max() -> int:
    """Return how many descriptors this process may have."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return CONNECTIONS_MAX * DESCRIPTORS_SHARE if soft == resource.RLIM_INFINITY else soft
