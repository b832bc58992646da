"""Random logs for tests: small worlds in which every rule of the contract has something to do."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta, timezone
from random import Random
from typing import Any
from zlib import crc32

from streams.contract.events import REVERSIBLE, TYPES
from streams.contract.members import Member, members

START = 1_795_240_800
"""2026-11-21T06:00:00Z, in seconds."""

REVERSAL = "transaction.reversed.v1"
M, E = "mes.events.v1", "machine.events.v1"
M_TYPES = [name for name, struct in TYPES.items() if struct.TOPIC == M and name != REVERSAL]
E_TYPES = [name for name, struct in TYPES.items() if struct.TOPIC == E]
"""All types of the contract; reversals are drawn apart, since they need something to reverse."""
WHOLE = ["application/cloudevents+json", "Application/CloudEvents+JSON; charset=UTF-8"]
"""Content types that say: the value is the event."""
DOWNTIME_TYPES = ["downtime.started.v1", "downtime.ended.v1", "downtime.classified.v1"]

POOLS: dict[str, list[Any]] = {
    "order": ["O1", "O:2"],
    "operation": ["0010"],
    "item": ["I1", "I|2"],
    "uom": ["pc", "kg"],
    "lot": ["LOT1"],
    "work_unit": [*["U1"] * 5, "U2"],
    "episode": [f"EP{number}" for number in range(1, 13)],
    "reason": ["jam", "no material"],
    "planned": [True, False, False],
    "hold": ["H1", "H2", "H3", "H4"],
    "scope": ["lot", "order", "item"],
    "value": ["LOT1", "O1", "I1", "LOT2"],
}
"""What members are drawn from, by name: so few that rows and episodes meet."""


def random_log(seed: int, size: int) -> list[bytes]:
    """Return `size` bare lines: events in and out of order, repeated, reversed, broken, ticks."""
    rng = Random(seed)
    kinds = rng.choice([M_TYPES, M_TYPES, DOWNTIME_TYPES, sorted(REVERSIBLE), E_TYPES])
    clock = float(START)
    lines: list[bytes] = []
    sent: list[dict[str, Any]] = []
    pace = rng.choice([2, 20, 120, 1500])
    places = [("DE01", "L1"), ("DE01", "L2"), ("P|1:x%", "Ü 3")][: rng.randint(1, 3)]
    for number in range(size):
        clock += rng.random() * pace * (40 if rng.random() < 0.01 else 1)
        chance = rng.random()
        if chance < 0.04:
            lines.append(_line(rng, _tick(clock + rng.choice([0, 100, 300]))))
        elif chance < 0.1 and sent:
            lines.append(_line(rng, rng.choice(sent)))
        elif chance < 0.13 and sent:
            lines.append(_line(rng, _altered(rng, rng.choice(sent))))
        elif chance < 0.2 and any(event["type"] in REVERSIBLE for event in sent):
            original = rng.choice([event for event in sent if event["type"] in REVERSIBLE])
            sent.append(_reversal(rng, number, original, clock))
            lines.append(_line(rng, sent[-1]))
        elif chance < 0.23:
            lines.append(_broken(rng, _event(rng, number, clock, places, kinds)))
        else:
            late = rng.choice([0, 0, 0, 0, 5, 40, 200, 2000, 90_000]) * rng.random()
            sent.append(_event(rng, number, clock - late, places, kinds))
            lines.append(_line(rng, sent[-1]))
    return lines


def printed_log(seed: int, size: int, partitions: int = 1) -> list[bytes]:
    """Return a random log as `kcat -J` prints it: keys, timestamps, headers, gaps in the offsets.

    Some keys are another's, some timestamps hours early, some events in binary mode, or in structured
    mode with the headers of both, some values null; a tick is on each partition.
    """
    rng = Random(~seed)
    return list(_printed(rng, random_log(seed, size), partitions))


def _printed(rng: Random, lines: Iterable[bytes], partitions: int) -> Iterator[bytes]:
    offsets: Counter[tuple[str, int]] = Counter()
    for line in lines:
        payload = line.decode("utf-8", "replace")
        event = _object(line)
        machine = str(event.get("type")).startswith("machine.")
        topic = (E if machine else M) if rng.random() < 0.97 else rng.choice([M, E, "other.v1"])
        key = _utf8(f"{event.get('plant')}/{event.get('line')}")
        targets = [(topic, crc32(key.encode()) % partitions)]
        if event.get("type") == "clock.tick.v1":
            targets = [(each, number) for each in (M, E) for number in range(partitions)]
        early = rng.choice([0, 0, 0, 599, 600, 601, 90_000])
        record = {
            "ts": rng.choice([-1, None, round((_seconds(event) - early) * 1000)]),
            "headers": rng.choice(
                [None, [], ["a", "b", "c", None], ["content-type", rng.choice(WHOLE)]]
            ),
            "key": key if rng.random() < 0.97 else rng.choice([None, "", "DE01/L1", "x"]),
            "payload": payload if rng.random() < 0.99 else None,
        }
        if event.keys() >= {"specversion", "data"} and rng.random() < 0.1:
            record |= _binary(event)
            if rng.random() < 0.2:  # the same in structured mode, with the headers all the same
                record |= {"headers": [*record["headers"][2:], "content-type", rng.choice(WHOLE)]}
                record["payload"] = payload
        for target in targets:
            offsets[target] += rng.choice([1, 1, 1, 2])
            place = {"topic": target[0], "partition": target[1], "offset": offsets[target]}
            shown = {name: value for name, value in record.items() if value is not None}
            shown["payload"] = record["payload"]
            yield json.dumps(place | shown, ensure_ascii=rng.random() < 0.5).encode()


def _binary(event: dict[str, Any]) -> dict[str, Any]:
    """Return headers and payload of an event in binary mode."""
    headers: list[str | None] = ["content-type", "application/json"]
    for name, value in event.items():
        if name != "data" and isinstance(value, str | None):
            headers += [f"ce_{name}", None if value is None else _utf8(value)]
    return {"headers": headers, "payload": json.dumps(event["data"])}


def _utf8(text: str) -> str:
    """Return `text` without the lone surrogates that a line of kcat can't have."""
    return text.encode("utf-8", "replace").decode()


def _object(line: bytes) -> dict[str, Any]:
    try:
        document = json.loads(line)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _seconds(event: dict[str, Any]) -> float:
    try:
        return datetime.fromisoformat(str(event.get("time")).upper()).timestamp()
    except ValueError:
        return START


def _event(
    rng: Random, number: int, at: float, places: list[tuple[str, str]], kinds: list[str]
) -> dict[str, Any]:
    plant, line = rng.choice(places)
    kind = rng.choice(kinds) if rng.random() < 0.8 else rng.choice(E_TYPES)
    return {
        "specversion": "1.0",
        "type": kind,
        "source": rng.choice(["/mes", "/m|es:2"]),
        "id": f"e{number}" if rng.random() < 0.97 else f"e{rng.randint(0, 9)}",
        "time": _time(rng, at),
        "plant": plant,
        "line": line,
        "data": _data(rng, kind),
    }


def _data(rng: Random, kind: str) -> dict[str, Any]:
    """Return random members for a type of the contract, by what its struct says."""
    data: dict[str, Any] = {"unknown": 5} if rng.random() < 0.1 else {}
    for member in members(TYPES[kind].__annotations__["data"]):
        if member.required or rng.random() < 0.5:
            data[member.name] = _value(rng, member)
            if not member.required and rng.random() < 0.3:
                data[member.name] = None
    return data


def _value(rng: Random, member: Member) -> Any:
    if member.name in POOLS:
        return rng.choice(POOLS[member.name])
    match member.kind:
        case "measure":
            return _measure(rng)
        case "flag":
            return rng.choice([True, False])
        case "json":
            return rng.choice([1.5, None, [1]])
        case _:
            return rng.choice(member.choices or [f"{member.name} 1"])


def _measure(rng: Random) -> Any:
    return rng.choice(
        [1, 0, -1, 10, 12.5, "12.50", "0.750", 0.75, "-0", "1e2", 1e-9, "0.000000001",
         "999999999999999", -999999999999999, "123456789012345.123456789"]
    )  # fmt: skip


def _tick(at: float) -> dict[str, Any]:
    return {"type": "clock.tick.v1", "time": _stamp(at, "Z")}


def _reversal(rng: Random, number: int, original: dict[str, Any], at: float) -> dict[str, Any]:
    told = {"type": original["type"], "time": original["time"], "data": dict(original["data"])}
    flaw = rng.random()
    if flaw < 0.08:
        told["data"]["quantity"] = "77"
    elif flaw < 0.12:
        told["type"] = rng.choice(["operation.started.v1", None, 5])
    elif flaw < 0.16:
        told["time"] = "yesterday"
    elif flaw < 0.2:
        told["data"].pop("order", None)
    return {
        **original,
        "type": REVERSAL,
        "id": f"r{number}",
        "time": _time(rng, at),
        "data": {
            "reverses": original["id"] if rng.random() < 0.93 else "nobody",
            "original": told,
        },
    }


def _altered(rng: Random, event: dict[str, Any]) -> dict[str, Any]:
    altered = {**event, "data": dict(event["data"])}
    if rng.random() < 0.5:
        altered["data"]["reason"] = "altered"
    else:
        altered["time"] = _stamp(START + rng.random() * 1000, "Z")
    return altered


def _broken(rng: Random, event: dict[str, Any]) -> bytes:
    line = json.dumps(event).encode()
    match rng.randint(0, 10):
        case 0:
            return line[: rng.randint(1, len(line) - 1)]
        case 1:
            return json.dumps({**event, "type": "material.eaten.v1"}).encode()
        case 2:
            return json.dumps({**event, rng.choice(list(event)): None}).encode()
        case 3:
            return json.dumps({**event, rng.choice(list(event)): "\x07"}).encode()
        case 4:
            at = rng.randrange(len(line))
            return line[:at] + bytes([rng.choice([0, 34, 92, 200, 123, 57])]) + line[at + 1 :]
        case 5:
            member = rng.choice(list(event["data"]))
            value = rng.choice([None, 5, "", "x" * 300, {}, [], True, "1_0", "Infinity"])
            return json.dumps({**event, "data": {**event["data"], member: value}}).encode()
        case 6:
            twice = rng.choice([b'"id"', b'"line"', b'"data"', b'"uom"', b'"reason"'])
            return line.replace(twice, twice + b': "x", ' + twice)
        case 7:
            name = rng.choice(["id", "source", "plant", "line"])
            return json.dumps(
                {**event, name: rng.choice([" a", "a\u00a0", "e\u0301", "*"])}
            ).encode()
        case 8:
            time = rng.choice(["1999-12-31T23:59:59Z", "9999-01-01T00:00:00Z"])
            return json.dumps({**event, "time": time}).encode()
        case 9:
            return line.replace(b'"DE01"', rng.choice([b'"a/b"', b'"\\ud800"', b'""', b"1"]))
        case _:
            return rng.randbytes(rng.randint(1, 60)).replace(b"\n", b" ")


def _time(rng: Random, at: float) -> str:
    return _stamp(at, rng.choice(["Z", "Z", "+01:00", "-05:30", "z"]))


def _stamp(at: float, zone: str) -> str:
    if zone in "Zz":
        moment = datetime.fromtimestamp(round(at, 3), UTC)
        return moment.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + zone
    sign = -1 if zone[0] == "-" else 1
    offset = timedelta(hours=int(zone[1:3]), minutes=int(zone[4:])) * sign
    moment = datetime.fromtimestamp(round(at, 3), timezone(offset))
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + zone


def _line(rng: Random, event: dict[str, Any]) -> bytes:
    ensure_ascii = rng.random() < 0.5
    return json.dumps(event, ensure_ascii=ensure_ascii).encode()
