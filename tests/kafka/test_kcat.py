"""kcat as a foreign client: what it prints is what was written, and a replay reads it."""

import json
import subprocess
import sys
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from random import Random

import pytest

from broker import run_apart
from clusters import Broker, delete_topics, fresh_topics
from contents import write
from runs import At
from streams.codec.logfile import LogReader, lines_of
from streams.contract.topics import ERP_TRANSACTIONS, INPUTS, MACHINE_EVENTS, MES_EVENTS, changelog
from streams.kafka.cluster import read_broker
from streams.log.record import Record

LINESIDE = str(Path(sys.executable).with_name("lineside"))
SECONDS_MAX = 60
PARTITIONS = 2
RECORDS = 400

Kcat = Callable[..., bytes]

BYTES = [b"\xff", b"\xfe\x80", b"\xed\xa0\x80", b"\xc0\x80", b"\0", b"\x1f", b"\x7f", b'"', b"\\",
         b"\\u00e9", b"\\ud800", b"/", b"\n", b"\r", b"\t", b" ", b"a", b"{", b"}", b"\xc3\xbc",
         b"\xe2\x80\xa8", b"\xf0\x9f\x8f\xad", b"null", b"\xf4\x90\x80\x80"]  # fmt: skip


@pytest.fixture
def topics(broker: Broker, new_name: Callable[[], str]) -> Broker:
    fresh_topics(broker, PARTITIONS, group := new_name())
    delete_topics(broker, [changelog(group, topic) for topic in INPUTS])
    return broker


def printed(kcat: Kcat, *topics: str) -> bytes:
    """Return what `kcat -C -J` prints of topics, one after the other."""
    return b"".join(
        kcat("-C", "-J", "-e", "-q", "-t", topic, "-o", "beginning") for topic in topics
    )


def read(capture: bytes) -> dict[At, list[Record]]:
    """Return the records of a capture, by partition."""
    reader = LogReader(PARTITIONS)
    found: dict[At, list[Record]] = {}
    for lines in lines_of(BytesIO(capture)):
        reader.place(lines)
        for at, placed in reader.take():
            found.setdefault(at, []).extend(placed.records)
    return found


def any_bytes(rng: Random) -> bytes | None:
    if rng.random() < 0.1:
        return None
    return b"".join(rng.choices(BYTES, k=rng.randrange(8)))


def test_whatever_bytes_a_record_has_come_back(topics: Broker, kcat: Kcat) -> None:
    rng = Random(4)
    records = [
        Record(
            offset=offset,
            timestamp=None,
            key=any_bytes(rng),
            value=any_bytes(rng),
            headers=[
                (rng.choice(["ce_id", "", "ü", 'a"b\\', "payload"]), any_bytes(rng))
                for _ in range(rng.randrange(4))
            ],
        )
        for offset in range(RECORDS)
    ]
    run_apart(write(read_broker(topics.url), {(MES_EVENTS, 1): records}))
    (found,) = read(printed(kcat, MES_EVENTS)).values()
    assert [(r.offset, r.key, r.value, list(r.headers)) for r in found] == [
        (r.offset, r.key, r.value, list(r.headers)) for r in records
    ]
    assert all(record.timestamp is not None for record in found)


def test_a_capture_is_replayed_as_what_it_is(topics: Broker, kcat: Kcat, tmp_path: Path) -> None:
    data = {"order": "1", "item": "M", "quantity": "5", "uom": "pcs"}
    event = {"specversion": "1.0", "type": "goods.received.v1", "source": "/mes", "id": "1",
             "time": "2026-01-05T06:00:00Z", "plant": "P", "line": "L", "data": data}  # fmt: skip
    binary = {**event, "id": "2"}
    del binary["data"]
    headers = [part for name, value in binary.items() for part in ("-H", f"ce_{name}={value}")]
    value = json.dumps(event)
    produce = ("-P", "-t", MES_EVENTS, "-p", "0")
    kcat(*produce, "-k", "P/L", stdin=value.encode())
    kcat(*produce, "-k", "P/L", *headers, stdin=json.dumps(data).encode())
    kcat(*produce, "-K", "|", stdin=f"P/L|{value}\nQ/L|{value}\n".encode())
    kcat(*produce, "-K", "|", "-Z", stdin=b"P/L|\n")
    kcat(*produce, stdin=b'\xff\xfe"{')
    kcat("-P", "-t", MACHINE_EVENTS, "-p", "0", "-k", "P/L", stdin=value.encode())
    capture = tmp_path / "capture.ndjson"
    capture.write_bytes(printed(kcat, MES_EVENTS, MACHINE_EVENTS))
    out = tmp_path / "out"
    subprocess.run(
        [LINESIDE, "replay", capture, "--out", out],
        check=True, capture_output=True, timeout=SECONDS_MAX,
    )  # fmt: skip
    report = json.loads((out / "report.json").read_bytes())
    assert report["counts"] == {"accepted": 2, "duplicate": 1, "exception": 4, "tick": 0}
    assert report["exceptions"] == {"key_mismatch": 1, "malformed": 2, "unknown_type": 1}
    left = (out / f"{ERP_TRANSACTIONS}.ndjson").read_bytes().splitlines()
    assert [json.loads(line)["id"] for line in left] == ["gr:P/L:/mes|1", "gr:P/L:/mes|2"]
