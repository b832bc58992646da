"""What comes of a record of `erp.master.v1`: one of `reference.v1`, an exception, or nothing."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from msgspec import Struct

from streams.codec.master import Master, read_master
from streams.contract.reference import ANYWHERE
from streams.contract.reference_key import PROGRESS, key_of
from streams.contract.rejection import Rejection, exception_data, exception_key
from streams.contract.topics import ERP_MASTER, EXCEPTIONS, REFERENCE
from streams.contract.transactions import EXCEPTION, SOURCE, encode
from streams.log.record import Outgoing, Record
from streams.values import instant
from tables.reference.known import Known
from tables.reference.merging import Owners, merged, owner_of
from tables.reference.relations import deletion_problem, problem

PREFIX: Final = "rf:"
"""An `id` in `reference.v1` is this, and its cause."""


class Terms(Struct, frozen=True):
    """What the settings say of master data."""

    owners: Owners = {}
    grace_max: int = 86_400
    """Seconds: a plant's grace is no longer."""


def judged(master: Master, known: Known, terms: Terms, now: int | None) -> dict[str, Any] | None:
    """Return the `data` that `reference.v1` is to have, None where it has it already.

    `now` is the record's Kafka timestamp. Raises `ValueError` with a sentence on what is wrong.
    """
    before = known.at(master.key)
    if master.deleted:
        owner = owner_of(terms.owners, master.kind, "deleted")
        if owner not in (None, master.source):
            raise ValueError(f"data.deleted is True: only {owner} may delete that ({master.kind})")
        if before is None:
            return None
        why = deletion_problem(master, known)
        if why is not None:
            raise ValueError(why)
        return {**master.id, "deleted": True}
    data = merged(master, before, terms.owners)
    if before is not None and msgspec.json.decode(msgspec.json.encode(data)) == before:
        return None
    why = problem(master, data, known, now, terms.grace_max)
    if why is not None:
        raise ValueError(why)
    return data


def kept(
    record: Record, partition: int, known: Known, terms: Terms
) -> tuple[Outgoing | None, Master | Rejection]:
    """Return what a record of `erp.master.v1` leads to, and what it was; `known` isn't changed."""
    read = read_master(record.value, record.headers)
    cause = f"{ERP_MASTER}/{partition}/{record.offset}"
    if not isinstance(read, Rejection):
        try:
            data = judged(read, known, terms, record.timestamp)
        except ValueError as error:
            place = None if read.plant == ANYWHERE else read.plant
            read = Rejection("invalid", str(error), place)
        else:
            if data is None:
                return None, read
            at = record.timestamp if read.time is None else read.time
            return _written(read, data, cause, at), read
    return _exception(record, partition, cause, read), read


def _written(master: Master, data: Mapping[str, Any], cause: str, at: int | None) -> Outgoing:
    kind, id = f"reference.{master.kind}.v1", PREFIX + cause
    event = {
        "specversion": "1.0",
        "type": kind,
        "source": SOURCE,
        "id": id,
        **({} if at is None else {"time": instant.text(at)}),
        "plant": master.plant,
        "line": ANYWHERE,
        "mastersource": master.source,
        "masterid": master.event_id,
        "data": data,
    }
    return Outgoing(REFERENCE, master.key, id, kind, msgspec.json.encode(event))


def _exception(record: Record, partition: int, cause: str, rejection: Rejection) -> Outgoing:
    time = None if record.timestamp is None else instant.text(record.timestamp)
    data = exception_data(rejection, ERP_MASTER, partition, record)
    value = encode(EXCEPTION, cause, time, rejection.plant, rejection.line, data)
    return Outgoing(EXCEPTIONS, exception_key(record), cause, rejection.code, value)


_PROGRESS: Final = key_of(PROGRESS, ANYWHERE, [ERP_MASTER])


class Progress(Struct, frozen=True):
    """How far `erp.master.v1` has been read."""

    offset: int = 0
    """All before it has been read."""
    topic_id: str = ""
    """Of the topic that was read, empty where topics have none: one made anew has another."""


def progress_record(progress: Progress) -> Outgoing:
    """Return the record that says so."""
    offset = progress.offset
    kind, id = f"reference.{PROGRESS}.v1", f"{PREFIX}{PROGRESS}:{ERP_MASTER}/{offset}"
    event = {
        "specversion": "1.0",
        "type": kind,
        "source": SOURCE,
        "id": id,
        "plant": ANYWHERE,
        "line": ANYWHERE,
        "data": {
            "topic": ERP_MASTER,
            "offset": offset,
            **({"topic_id": progress.topic_id} if progress.topic_id else {}),
        },
    }
    return Outgoing(REFERENCE, _PROGRESS, id, kind, msgspec.json.encode(event))


class _Noted(Struct):
    data: Progress


_noted = msgspec.json.Decoder(_Noted).decode


def progress_of(key: bytes, value: bytes | None) -> Progress | None:
    """Return what such a record says, None of any other."""
    return None if key != _PROGRESS or value is None else _noted(value).data
