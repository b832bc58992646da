"""Sends inputs of a span of time again, each once, or says before what would become of them."""

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from hashlib import blake2b
from typing import Final

from msgspec import Struct, field

from streams.codec.decode import decode
from streams.codec.document import read_envelope
from streams.contract.events import MachineTelemetry, Tick
from streams.contract.reference import Reference
from streams.contract.rejection import Rejection
from streams.contract.reruns import Chosen, Rerun, rerun_bytes, rerun_of
from streams.log.desk import Again
from streams.log.lineage import resent_by, resent_from, with_act
from streams.log.record import TP, Record
from streams.log.reruns import RerunLog, Span

TOGETHER_MAX: Final = 500
"""Records of one write, or judged at a time."""

PREFIX: Final = "rerun-"
"""The `id` of a rerun begins so; it stands in the header `lineside_act` of what is sent."""

_ORIGIN: Final = re.compile(r"([^/]+)/([0-9]{1,9})/([0-9]{1,18})")
"""Topic, partition and offset of a record."""

Judge = Callable[[Sequence[Again]], Awaitable[Counter[str]]]
"""Says how many of some records would become what: `accepted`, `duplicate`, or a code."""


class Result(Struct):
    """What was sent again, or would be."""

    run: str
    count: int = 0
    before: int = 0
    """How many an earlier run of the same, that was cut off, had sent."""
    became: Counter[str] = field(default_factory=Counter)
    """What would become of them; empty where nobody judges."""


class Resender:
    """One rerun: of the same choice there's one, which goes on where it was cut off."""

    def __init__(self, log: RerunLog, chosen: Chosen) -> None:
        told = repr(chosen).encode("utf-8", "replace")
        self.run = PREFIX + blake2b(told, digest_size=12).hexdigest()
        self._log = log
        self._chosen = chosen

    async def foresee(self, judge: Judge | None) -> Result:
        """Return what would become of what would be sent; nothing is written."""
        begun = await self._begun()
        return await self._work(begun, judge)

    async def send(self, who: str, now: int, said: Callable[[int], object]) -> Result:
        """Send the records, each once; `said` is told how many were sent, again and again.

        Raises `Fenced` if somebody else sends the same, and `Lost` if it was cut off: to call this
        again goes on.
        """
        await self._log.take(self.run)
        begun = await self._begun()
        if begun is None:
            ends = await self._log.ends(self._chosen.topics)
            spelt = {f"{topic}/{number}": end for (topic, number), end in ends.items()}
            begun = Rerun(self.run, now, who, self._chosen, spelt)
            await self._log.send([], rerun_bytes(begun))

        async def write(events: Sequence[Again]) -> Counter[str]:
            await self._log.send(events)
            said(len(events))
            return Counter()

        return await self._work(begun, write)

    async def _begun(self) -> Rerun | None:
        """Return how the same rerun began, if it has."""
        found = [rerun_of(note) for note in await self._log.notes()]
        return next((one for one in found if one is not None and one.id == self.run), None)

    async def _work(self, begun: Rerun | None, handle: Judge | None) -> Result:
        result = Result(self.run)
        topics = self._chosen.topics
        ends = dict(await self._log.ends(topics))
        sent: dict[TP, int] = {}
        if begun is not None:
            last, ends = ends, {tp: begun.ends.get(f"{tp[0]}/{tp[1]}", 0) for tp in ends}
            result.before, sent = await self._sent({tp: (ends[tp], last[tp]) for tp in ends})
        spans = await self._log.spans(topics, self._chosen.begin, self._chosen.end)
        left = {
            tp: (max(start, sent.get(tp, -1) + 1), min(end, ends.get(tp, 0)))
            for tp, (start, end) in spans.items()
        }
        async for events in self._events(left):
            result.count += len(events)
            if handle is not None:
                result.became += await handle(events)
        return result

    async def _sent(self, spans: Mapping[TP, Span]) -> tuple[int, dict[TP, int]]:
        """Return how many records this run has sent, and the last one's offset by partition."""
        count, found = 0, dict[TP, int]()
        async for _, records in self._log.read(spans):
            for record in records:
                origin = _ORIGIN.fullmatch(resent_from(record.headers) or "")
                if origin is not None and resent_by(record.headers) == self.run:
                    at = origin[1], int(origin[2])
                    found[at] = max(found.get(at, -1), int(origin[3]))
                    count += 1
        return count, found

    async def _events(self, spans: Mapping[TP, Span]) -> AsyncIterator[Sequence[Again]]:
        events: list[Again] = []
        async for tp, records in self._log.read(spans):
            for record in records:
                if is_chosen(self._chosen, tp[0], record):
                    events.append(_again(tp, record, self.run))
                    if len(events) >= TOGETHER_MAX:
                        yield events
                        events = []
            await asyncio.sleep(0)
        if events:
            yield events


def is_chosen(chosen: Chosen, topic: str, record: Record) -> bool:
    """Return whether a record is one that is sent again.

    Those of lineside aren't, nor telemetry, which leads to nothing and isn't known when it comes
    again, nor what was sent by a rerun: its original is there.
    """
    if record.timestamp is None or not chosen.begin <= record.timestamp < chosen.end:
        return False
    if record.value is None or (resent_by(record.headers) or "").startswith(PREFIX):
        return False
    event = decode(record.value, record.headers, topic)
    if isinstance(event, Tick | Reference):
        return False
    if isinstance(event, Rejection):
        plant, line, order = _told_by(record, event)
    elif isinstance(event, MachineTelemetry):
        return False
    else:
        plant, line, order = event.plant, event.line, getattr(event.data, "order", None)
    wanted = chosen.plant, chosen.line, chosen.order
    told = plant, line, order
    return all(want in (None, said) for want, said in zip(wanted, told, strict=True))


def _told_by(record: Record, rejection: Rejection) -> tuple[str | None, str | None, str | None]:
    """Return plant, line and order of a refused record, as far as it or its key says them."""
    parts = (record.key or b"").decode("utf-8", "replace").split("/")
    of_key = parts if len(parts) == 2 else (None, None)
    envelope = read_envelope(record.value, record.headers)
    data = envelope.get("data") if isinstance(envelope, dict) else None
    order = data.get("order") if isinstance(data, dict) else None
    return (
        rejection.plant or of_key[0],
        rejection.line or of_key[1],
        order if isinstance(order, str) else None,
    )


def _again(tp: TP, record: Record, run: str) -> Again:
    origin = f"{tp[0]}/{tp[1]}/{record.offset}"
    headers = with_act(record.headers, origin, run)
    return Again(tp[0], tp[1], record.key, record.value or b"", headers)
