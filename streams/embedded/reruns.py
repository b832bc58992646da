"""EDGE: what sends inputs again reads and writes through, on the embedded log of a stopped job."""

from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from time import time
from typing import TYPE_CHECKING, Final

from streams.contract.topics import AUDIT
from streams.embedded.log import EmbeddedLog, Entry
from streams.log.desk import Again
from streams.log.headers import STRUCTURED
from streams.log.record import TP, Record, partition_of
from streams.log.reruns import RerunLog, Span

READ_RECORDS_MAX: Final = 1_000


class LogReruns:
    """The embedded log: its lock keeps the worker, and any other, out."""

    def __init__(self, log: EmbeddedLog) -> None:
        self._log = log

    async def spans(self, topics: Sequence[str], begin: int, end: int) -> Mapping[TP, Span]:
        """Return all of each partition: the log has no index of times."""
        del begin, end
        ends = await self.ends(topics)
        return {tp: (self._log.partition(*tp).start_offset, at) for tp, at in ends.items()}

    async def ends(self, topics: Sequence[str]) -> Mapping[TP, int]:
        """Return the next offset of each partition."""
        return {
            (topic, number): self._log.partition(topic, number).end_offset
            for topic in topics
            for number in range(self._log.partitions_of(topic))
        }

    async def read(self, spans: Mapping[TP, Span]) -> AsyncIterator[tuple[TP, Sequence[Record]]]:
        """Yield the records of spans, partition by partition."""
        for tp, (start, end) in spans.items():
            at = start
            while at < end:
                found = self._log.partition(*tp).read(at, READ_RECORDS_MAX)
                records = [record for record in found if record.offset < end]
                if not records:
                    break
                at = records[-1].offset + 1
                yield tp, records

    async def take(self, run: str) -> None:
        """Do nothing: the lock has shut out any other."""

    async def notes(self) -> Sequence[bytes]:
        """Return what is on `audit.v1`."""
        log, found = self._log.partition(AUDIT, 0), list[bytes]()
        async for _, records in self.read({(AUDIT, 0): (log.start_offset, log.end_offset)}):
            found += [record.value for record in records if record.value is not None]
        return found

    async def send(self, events: Sequence[Again], note: bytes | None = None) -> None:
        """Append a frame for each partition, which is there whole or not at all."""
        now = round(time() * 1e3) * 1000
        if note is not None:
            self._log.partition(AUDIT, 0).append([(now, None, note, (STRUCTURED,))])
        placed: defaultdict[TP, list[Entry]] = defaultdict(list)
        for one in events:
            number = one.partition
            if number is None:
                number = partition_of(one.key, self._log.partitions_of(one.topic))
            placed[one.topic, number].append((now, one.key, one.value, one.headers))
        for tp, entries in placed.items():
            self._log.partition(*tp).append(entries)

    async def close(self) -> None:
        """Let go of the directory."""
        self._log.close()


if TYPE_CHECKING:
    _log: type[RerunLog] = LogReruns
