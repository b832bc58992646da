"""EDGE: who owns the partitions: what a transport asks, and tells, the process that has them."""

from typing import Any, Protocol

from faust.types import TP


class Tasks(Protocol):
    """The tasks of the partitions that this process owns."""

    def hungry(self) -> set[TP]:
        """Return the partitions that take another batch."""
        ...

    def offsets(self) -> dict[TP, int]:
        """Return how far the states are: all before that offset is lasting."""
        ...

    def fail(self, error: BaseException) -> None:
        """End the job with an error."""
        ...


class Owner(Protocol):
    """The process that partitions are handed to and taken from."""

    def take_over(self, actives: set[TP], standbys: set[TP]) -> None:
        """Open the partitions `actives`, and keep copies of the states of `standbys`."""
        ...

    async def release(self) -> dict[TP, int]:
        """Close all partitions, once what is being written is; return how far they are."""
        ...


class App(Protocol):
    """The Faust app as a transport sees it: whose it is, and what is Faust's."""

    @property
    def job(self) -> Tasks: ...

    @property
    def host(self) -> Owner: ...

    conf: Any
    assignor: Any
    monitor: Any
    consumer_generation_id: int

    def on_rebalance_start(self) -> None:
        """Let Faust note that partitions are on their way."""
        ...
