"""A trace goes through a real worker, from the event to the record that it makes leave."""

from pathlib import Path

from runs import confirmed
from streams.contract.topics import ERP_TRANSACTIONS
from streams.embedded.log import EmbeddedLog
from streams.log.headers import STRUCTURED
from test_tracing import GIVEN, with_trace
from workers import WorkerProcess


def test_what_leaves_at_once_has_the_trace_of_its_event(tmp_path: Path) -> None:
    log = tmp_path / "log.ndjson"
    log.write_bytes(with_trace(confirmed(1)) + b"\n" + confirmed(2) + b"\n")
    data = tmp_path / "data"
    code, said = WorkerProcess(data, "--feed", str(log), "--until-drained").wait()
    assert code == 0, said
    found = EmbeddedLog(data / "log")
    headers = [
        list(record.headers)
        for number in range(found.partitions_of(ERP_TRANSACTIONS))
        for record in found.partition(ERP_TRANSACTIONS, number).read(0, 10)
    ]
    found.close()
    assert headers == [[STRUCTURED, ("traceparent", GIVEN.encode())], [STRUCTURED]]
