"""What would become of a record if it were sent now: judged by the job's own code.

A partition in memory gets what the books know that matters to it: the events accepted under the
same identity, the line's watermark, the master data that the event names. Then it takes the record.

What folds events has buffers of its own, one in the process: all this runs on the loop's thread.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct

from streams.codec.decode import decode
from streams.codec.master import Master, read_master
from streams.contract.events import AnyEvent, Tick
from streams.contract.reference import ANYWHERE, Reference
from streams.contract.reference_key import key_of
from streams.contract.rejection import Rejection
from streams.contract.topics import ERP_MASTER, EXCEPTIONS, INPUTS, MACHINE_EVENTS, MES_EVENTS
from streams.log.desk import Again
from streams.log.record import Record
from streams.values import instant
from tables.books.acted_on import Around, Asked
from tables.line.rules import Rules
from tables.partition.partition import Partition
from tables.reference.keeping import Terms, kept
from tables.reference.known import Known
from tables.store.store import MemoryStore

Became = Literal["would_be_accepted", "would_be_duplicate", "would_be_refused"]

LINESIDE_ALONE: Final = "nobody but lineside writes records of this type"

_AT_ONCE: Final[Mapping[str, tuple[str, Mapping[str, Any]]]] = {
    MES_EVENTS: ("operation.started.v1", {"order": "-", "operation": "-"}),
    MACHINE_EVENTS: ("machine.telemetry.v1", {"work_unit": "-", "tag": "-", "value": None}),
}
"""An event of each input that raises a line's watermark, and does nothing else that matters."""


class Judgement(Struct, frozen=True):
    """What would become of a record; `plant` is whose it is, None where that can't be read."""

    became: Became
    code: str | None = None
    reason: str | None = None
    plant: str | None = None


class Read(Struct, frozen=True):
    """A record, read: refused already, or with what has to be looked up before it's judged."""

    again: Again
    refused: Judgement | None = None
    plant: str | None = None
    asked: Asked | None = None
    """Of an event."""
    keys: tuple[str, ...] = ()
    """Of master data: the keys in `reference.v1` of what it says and names."""


def read(again: Again) -> Read:
    """Read a record that is to be sent."""
    if again.topic == ERP_MASTER:
        said = read_master(again.value, again.headers)
        if isinstance(said, Rejection):
            return Read(again, _refused(said))
        return Read(again, plant=said.plant, keys=_keys_of_master(said))
    if again.topic not in INPUTS:
        reason = f"topic is {again.topic!r}: no input of lineside's"
        return Read(again, Judgement("would_be_refused", None, reason))
    event = decode(again.value, again.headers, again.topic)
    if isinstance(event, Rejection):
        return Read(again, _refused(event))
    if isinstance(event, Tick | Reference):
        return Read(again, Judgement("would_be_refused", "invalid", LINESIDE_ALONE))
    return Read(again, plant=event.plant, asked=_asked(again.topic, event))


def judged(
    read: Read,
    found: Around | Sequence[tuple[bytes, bytes]],
    rules: Mapping[str, Rules],
    terms: Terms,
    now: int,
) -> Judgement:
    """Return what would become of a record if it were sent `now` (microseconds).

    `found` is what the books have around an event, or of the keys of master data.
    """
    if read.refused is not None:
        return read.refused
    if isinstance(found, Around):
        return _judged_event(read, found, rules, now)
    known = Known()
    for key, value in found:
        known.learn(key, value)
    record = Record(0, now, read.again.key, read.again.value, read.again.headers)
    left, said = kept(record, 0, known, terms)
    if isinstance(said, Rejection):
        return _refused(said)
    became: Became = "would_be_accepted" if left is not None else "would_be_duplicate"
    return Judgement(became, plant=read.plant)


def _judged_event(read: Read, around: Around, rules: Mapping[str, Rules], now: int) -> Judgement:
    again, asked = read.again, read.asked
    assert asked is not None  # an event was read
    partition = Partition(again.topic, 0, rules[again.topic], MemoryStore(), lasting=False)
    place = f"{asked.plant}/{asked.line}".encode()
    before = [*around.earlier]
    if around.watermark is not None:
        before.append(_raising(asked, around.watermark))
    for offset, value in enumerate(before):
        partition.commit(partition.step([Record(offset, None, place, value)]))
    for _, value in around.known if again.topic == MES_EVENTS else ():
        told = decode(value, (), MES_EVENTS)
        if isinstance(told, Reference):
            partition.commit(partition.learn(told))
    duplicates = partition.counts.duplicate
    step = partition.step([Record(len(before), now, again.key, again.value, again.headers)])
    for left in step.outputs:
        if left.topic == EXCEPTIONS:
            data = _exception(left.value).data
            return Judgement("would_be_refused", data.code, data.reason, asked.plant)
    if partition.counts.duplicate > duplicates:
        return Judgement("would_be_duplicate", plant=asked.plant)
    return Judgement("would_be_accepted", plant=asked.plant)


def _raising(asked: Asked, watermark: int) -> bytes:
    kind, data = _AT_ONCE[asked.topic]
    return msgspec.json.encode(
        {
            "specversion": "1.0", "type": kind, "source": "/lineside/desk", "id": "watermark",
            "time": instant.text(watermark), "plant": asked.plant, "line": asked.line, "data": data,
        }
    )  # fmt: skip


def _asked(topic: str, event: AnyEvent) -> Asked:
    data: Any = event.data
    return Asked(
        topic=topic,
        plant=event.plant,
        line=event.line,
        source=event.source,
        id=event.id,
        reverses=getattr(data, "reverses", None),
        episode=getattr(data, "episode", None),
        keys=tuple(_keys_of_event(event)) if topic == MES_EVENTS else (),
    )


def _keys_of_event(event: AnyEvent) -> list[str]:
    """Return the keys of what an event names, and of its plant."""
    data: Any = event.data
    plant, line = event.plant, event.line
    keys = [key_of("plant", plant, []), key_of("timing", plant, [])]
    keys.append(key_of("line", plant, [line]))
    for kind in ("order", "item", "reason", "work_unit", "hold"):
        name = getattr(data, kind, None)
        if not isinstance(name, str):
            continue
        if kind == "work_unit":
            keys.append(key_of(kind, plant, [line, name]))
            continue
        keys.append(key_of(kind, plant, [name]))
        if kind in ("item", "reason"):
            keys.append(key_of(kind, ANYWHERE, [name]))
        if kind == "hold":
            keys.append(key_of("hold_release", plant, [name]))
    return [key.decode() for key in keys]


def _keys_of_master(master: Master) -> tuple[str, ...]:
    """Return the keys of what a record of master data says, and of what that needs."""
    keys = [master.key]
    for name in ("item", "line", "hold"):
        value = master.said.get(name) or master.id.get(name)
        if isinstance(value, str):
            keys += [key_of(name, plant, [value]) for plant in (master.plant, ANYWHERE)]
    return tuple(key.decode() for key in keys)


def _refused(rejection: Rejection) -> Judgement:
    return Judgement("would_be_refused", rejection.code, rejection.reason, rejection.plant)


class _Data(Struct):
    code: str
    reason: str


class _Raised(Struct):
    data: _Data


_exception = msgspec.json.Decoder(_Raised).decode
