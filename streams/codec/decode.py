"""Bytes to event or rejection: the fast way, and the plain one that says what is wrong."""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Final, Union

import msgspec

from streams.codec.document import (
    NESTING_MAX,
    Headers,
    read_document,
    read_envelope,
)
from streams.codec.measures import reader
from streams.codec.ordinary import hides_nothing, printable, surely_shallow
from streams.codec.reference import read_reference
from streams.contract.checks import Code
from streams.contract.events import REVERSIBLE, TICK_TYPE, TYPES, AnyEvent, Tick
from streams.contract.members import (
    NAME_CHARACTERS_MAX,
    PLACE_CHARACTERS_MAX,
    member_problem,
    members,
    place_problem,
    text_problem,
)
from streams.contract.reference import TYPES as REFERENCE_TYPES
from streams.contract.reference import Reference
from streams.contract.rejection import Rejection, shown
from streams.contract.structs import Data
from streams.contract.topics import MACHINE_EVENTS, MES_EVENTS
from streams.log.headers import is_binary
from streams.values import instant
from streams.values.instant import RESTS, WHOLES
from streams.values.quantity import Number

Decoded = AnyEvent | Tick | Reference | Rejection

_decode = msgspec.json.Decoder(Union[AnyEvent, Tick], float_hook=Number).decode


def decode(value: bytes | None, headers: Headers, topic: str | None) -> Decoded:
    """Return the event in a record's value, or why it isn't one (checks 1 to 5 of the contract).

    `topic` is the input topic that the record is on, None if it follows from the event's type.

    The typed decoder takes only what can't hide anything that it doesn't look at: printable text in
    form C without escapes (so no control character, no surrogate and no broken UTF-8, not even in a
    member that it skips), of modest nesting, and what `hides_nothing`. All else, and all that it
    refuses, goes to `decode_plain`, which agrees with it.
    """
    if (
        value.__class__ is bytes  # neither None nor a part of a value
        and 92 not in value  # a backslash
        and (127 not in value if value.isascii() else printable(value))  # DEL
        and (len(value) <= 2 * NESTING_MAX or surely_shallow(value))
        and (not headers or not is_binary(headers))
    ):
        try:
            event: Any = _decode(value)
            if not hides_nothing(value, event):
                return decode_plain(value, headers, topic)
            time: Any = event.time
            try:
                event.time = WHOLES[time[:19]] + RESTS[time[19:]]
            except (KeyError, TypeError):
                event.time = instant.parse(time)
            read = _READERS[event.__class__]
            if read is not None:
                read(event.data)
            if topic is None or topic == event.TOPIC or event.__class__ is Tick:
                return event  # type: ignore[no-any-return]  # the decoder's union
        except (ValueError, RecursionError):  # msgspec's errors are ValueErrors
            pass
    if (
        value.__class__ is bytes
        and value.startswith(_COPY)
        and len(value) <= COPY_BYTES_MAX
        and not is_binary(headers)
    ):
        return _read_copy(value, topic)
    return decode_plain(value, headers, topic)


COPIES_KEPT: Final = 8_192
COPY_BYTES_MAX: Final = 1_024
"""Reference records that were read last are kept, if they are small: some 20 MB at most.

The same bytes come in each partition that needs them, and to read them takes 40 microseconds.
"""

_COPY: Final = b'{"specversion":"1.0","type":"reference.'
"""What `reference.v1` writes begins so. No value that begins so is an event: a second `type` makes
it malformed."""


@lru_cache(maxsize=COPIES_KEPT)
def _read_copy(value: bytes, topic: str | None) -> Decoded:
    return decode_plain(value, (), topic)


def decode_plain(value: bytes | None, headers: Headers, topic: str | None) -> Decoded:
    """Return what `decode` returns, by the contract's sentences one after the other."""
    envelope = read_envelope(value, headers)
    if isinstance(envelope, str):
        return Rejection("malformed", envelope)
    plant, line = envelope.get("plant"), envelope.get("line")

    def refused(code: Code, reason: str) -> Rejection:
        return Rejection(code, reason, _readable_place(plant), _readable_place(line))

    kind = envelope.get("type")
    if kind is None:
        return refused("invalid", "type is missing")
    if kind.__class__ is not str:
        return refused("invalid", f"type is {shown(kind)}: not a string")
    if kind == TICK_TYPE:
        try:
            return Tick(time=instant.parse(envelope.get("time")))
        except ValueError as error:
            return refused("invalid", f"time is {shown(envelope.get('time'))}: {error}")
    if kind in REFERENCE_TYPES:
        if topic == MACHINE_EVENTS:
            reason = f"type is {shown(kind)}: it belongs on {MES_EVENTS}"
            return refused("unknown_type", reason)
        read = read_reference(REFERENCE_TYPES[kind], envelope, is_binary(headers))
        return refused("invalid", read) if isinstance(read, str) else read
    struct: Any = TYPES.get(kind)
    if struct is None:
        return refused("unknown_type", f"type is {shown(kind)}: no such event type")
    if topic is not None and topic != struct.TOPIC:
        return refused("unknown_type", f"type is {shown(kind)}: it belongs on {struct.TOPIC}")
    problem = _envelope_problem(envelope)
    if problem is not None:
        return refused("invalid", problem)
    fields = {name: envelope[name] for name in ("source", "id", "plant", "line")}
    data_struct = struct.__annotations__["data"]
    data = read_data(data_struct, envelope["data"], "data.")
    if isinstance(data, str):
        return refused("invalid", data)
    time = instant.parse(envelope["time"])
    if "payload" in envelope:
        fields["payload"] = msgspec.Raw(b"null")  # only that it's there is ever asked
    event: AnyEvent = struct(specversion="1.0", time=time, data=data, **fields)
    return event


def read_data(struct: type[Data], given: Mapping[str, Any], path: str) -> Data | str:
    """Return a `struct` made of the members of `given`, or a sentence on the first that is wrong.

    Unknown members are passed over; a member that is null is absent.
    """
    fields: dict[str, Any] = {}
    for member in members(struct):
        value = given.get(member.name)
        if value is None and (member.kind != "json" or member.name not in given):
            if member.required:
                return f"{path}{member.name} is missing"
            continue
        problem = member_problem(member, value)
        if problem is not None:
            return f"{path}{member.name} is {shown(value)}: {problem}"
        fields[member.name] = msgspec.Raw(b"null") if member.kind == "json" else value
    data = struct(**fields)
    read = reader(struct)
    if read is not None:
        read(data)
    return data


_READERS: Final[dict[type, Callable[[Any], None] | None]] = {
    Tick: None,
    **{struct: reader(struct.__annotations__["data"]) for struct in TYPES.values()},
}
"""What reads measures and optional flags of what the typed decoder gave, by the event's struct."""


class Original(msgspec.Struct, frozen=True):
    """The `original` of a reversal, read: what is compared with the ledger."""

    type: str
    time: int
    data: Data


def read_original(given: Mapping[str, Any]) -> Original | str:
    """Return the `original` of a reversal, or a sentence on why it can't be read."""
    kind = given.get("type")
    if kind.__class__ is not str or kind not in REVERSIBLE:
        return f"original.type is {shown(kind)}: it can't be reversed"
    struct = TYPES[kind]
    try:
        time = instant.parse(given.get("time"))
    except ValueError as error:
        return f"original.time is {shown(given.get('time'))}: {error}"
    if not isinstance(given.get("data"), dict):
        return f"original.data is {shown(given.get('data'))}: not an object"
    data = read_data(struct.__annotations__["data"], given["data"], "original.data.")
    return data if isinstance(data, str) else Original(type=str(kind), time=time, data=data)


def route(value: bytes) -> tuple[str | None, bytes | None, bool]:
    """Return (topic, key, whether it is for each partition) of a bare record that was refused.

    One that can't be read goes to the MES's topic, without a key; a tick has no topic of its own.
    """
    document = read_document(value, bytes_max=len(value))
    if isinstance(document, str):
        return MES_EVENTS, None, False
    kind, plant, line = (document.get(name) for name in ("type", "plant", "line"))
    keyed = plant.__class__ is str and line.__class__ is str
    key = f"{plant}/{line}".encode() if keyed else None
    if kind.__class__ is str and kind == TICK_TYPE:
        return None, key, True
    if kind.__class__ is str and kind in REFERENCE_TYPES:
        return MES_EVENTS, key, True
    machine = kind.__class__ is str and str(kind).startswith("machine.")
    return (MACHINE_EVENTS if machine else MES_EVENTS), key, False


def _envelope_problem(envelope: Mapping[str, Any]) -> str | None:
    version = envelope.get("specversion")
    if version.__class__ is not str or version != "1.0":
        return _problem("specversion", version, "not '1.0'")
    for name in ("source", "id"):
        problem = text_problem(envelope.get(name), NAME_CHARACTERS_MAX)
        if problem is not None:
            return _problem(name, envelope.get(name), problem)
    try:
        instant.parse(envelope.get("time"))
    except ValueError as error:
        return _problem("time", envelope.get("time"), str(error))
    for name in ("plant", "line"):
        problem = text_problem(envelope.get(name), PLACE_CHARACTERS_MAX)  # and `place_refusal`
        if problem is not None:
            return _problem(name, envelope.get(name), problem)
    if not isinstance(envelope.get("data"), dict):
        return _problem("data", envelope.get("data"), "not an object")
    return None


def _problem(name: str, value: object, problem: str) -> str:
    return f"{name} is missing" if value is None else f"{name} is {shown(value)}: {problem}"


def _readable_place(value: object) -> str | None:
    return str(value) if place_problem(value) is None else None


def place_refusal(plant: str, line: str) -> Rejection | None:
    """Return the refusal of an event whose plant or line is "*" or has a "/", None for any other.

    Part of check 5 that is left to the partition: it needs it only for a line it doesn't know.
    """
    for name, value in (("plant", plant), ("line", line)):
        problem = place_problem(value)
        if problem is not None:
            reason = f"{name} is {shown(value)}: {problem}"
            return Rejection("invalid", reason, _readable_place(plant), _readable_place(line))
    return None
