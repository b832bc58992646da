"""A worker on its embedded log: every partition is its own, and states need no changelog."""

from pathlib import Path
from typing import TYPE_CHECKING

from faust.types import TP

from agents.partition.opening import Opened, Progress
from agents.process_events import Job
from agents.settings.settings import Settings, SettingsError, terms_of
from agents.topology import App, create_app
from streams.contract.topics import INPUTS, MES_EVENTS
from streams.embedded.log import EmbeddedLog
from streams.embedded.reference import LogReference
from streams.embedded.resending import LogResending
from streams.embedded.transport import Broker, LogOwner, LogTicker, LogWriter
from tables.store.binding import read_binding
from tables.store.rocksdb import RocksStore


class EmbeddedHost:
    """The log in the data directory, and the states beside it."""

    broker_name = "embedded"
    guarantee = "at_least_once"
    answers = True
    """The log can be reached: it's in this process."""
    clock_difference = None
    """There is no broker with a clock of its own."""

    def __init__(self, settings: Settings, *, keeps_master: bool | None = None) -> None:
        """Open the log; master data are kept and copied if this worker ticks, unless it's said."""
        self._settings = settings
        self._keeps_master = bool(settings.tick_seconds) if keeps_master is None else keeps_master
        self._folder = Path(settings.data_dir)
        self._log = EmbeddedLog(self._folder / "log")
        try:
            self.broker = Broker(self._log, self._partitions())
        except BaseException:
            self._log.close()
            raise

    def _partitions(self) -> int:
        found = self._log.partitions_of(MES_EVENTS)
        wanted = self._settings.partitions
        if found not in (0, wanted):
            raise SettingsError(
                f"partitions is {wanted}, but the log in {self._settings.data_dir} has {found}: "
                "set it to that, or choose another data_dir"
            )
        return wanted

    async def open(self, tp: TP, progress: Progress) -> Opened:
        """Open a partition's state."""
        path = self._folder / "state" / f"{tp.topic}-{tp.partition}"
        store = RocksStore(path, states=len(INPUTS) * self.broker.partitions)
        log, binding = self.broker.log.partition(*tp), read_binding(store)
        last = None
        if binding is not None and log.start_offset <= binding.offset:
            last = next(iter(log.read(binding.offset, 1)), None)
        return Opened(store, LogWriter(self.broker), end=log.end_offset, last=last)

    def create_app(self, job: Job) -> App:
        """Return the app on this log."""
        self._job = job
        return create_app(
            job,
            self,
            LogTicker(self.broker),
            self._settings.tick_seconds,
            "embedded://",
            str(self._folder / "faust"),
            master=(lambda: LogReference(self.broker)) if self._keeps_master else None,
            resending=LogResending(self.broker),
            terms=terms_of(self._settings),
            topic_partitions=self.broker.partitions,
        )

    def take_over(self, actives: set[TP], standbys: set[TP]) -> None:
        """Open these partitions."""
        self._job.take_over(actives)

    async def release(self) -> dict[TP, int]:
        """Close all partitions; return the next offset of each."""
        return await self._job.release()

    def end_offset(self, tp: TP) -> int:
        """Return the offset that the next record of a partition gets."""
        return self.broker.log.partition(*tp).end_offset

    def committed_end(self, tp: TP) -> int:
        """Return the same: everything in the log is committed."""
        return self.end_offset(tp)

    @property
    def partitions_in_all(self) -> int:
        """Partitions of both inputs."""
        return len(INPUTS) * self.broker.partitions

    def standbys(self) -> dict[TP, int]:
        """Return nothing: there are no standbys."""
        return {}

    async def close(self) -> None:
        """Close the log."""
        self._log.close()


if TYPE_CHECKING:  # Faust hands it to the transport, and leaves it Any: so mypy is asked here
    _owner: type[LogOwner] = EmbeddedHost
