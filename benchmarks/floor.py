"""The floor: fetch and decode every record with lineside's client and decoder, and do nothing else.

    python benchmarks/floor.py --broker HOST:PORT --group NAME --state DIR --partitions P

Runs as a contestant of bench_peers.py does, and prints its progress as they do. What costs less
than this, in this language and with this client, can't have looked at the records.
"""

import argparse
import asyncio
import gc
import json
import platform
import signal
from importlib.metadata import version
from typing import Any, Union

import msgspec
import uvloop
from aiokafka import AIOKafkaConsumer

from streams.contract.events import AnyEvent, Tick
from streams.contract.topics import INPUTS
from streams.kafka.cluster import Cluster
from streams.kafka.consumer import BATCH_RECORDS_MAX
from streams.values.quantity import Number

decode = msgspec.json.Decoder(Union[AnyEvent, Tick], float_hook=Number).decode

POLL_MS = 200


class Floor:
    """A consumer of the input topics, and what it has counted."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.records = 0
        self.bad = 0
        self._options = options
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        """Consume until SIGTERM."""
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, self._stopping.set)
        telling = asyncio.ensure_future(self._tell())
        consumer: AIOKafkaConsumer = Cluster((self._options.broker,)).consumer(
            group_id=self._options.group, auto_offset_reset="earliest"
        )
        consumer.subscribe(INPUTS)
        await consumer.start()
        try:
            while not self._stopping.is_set():
                polled = await consumer.getmany(timeout_ms=POLL_MS, max_records=BATCH_RECORDS_MAX)
                for records in polled.values():
                    self._take(records)
                await asyncio.sleep(0)
        finally:
            telling.cancel()
            await consumer.stop()
            self._print()

    def _take(self, records: list[Any]) -> None:
        for record in records:
            try:
                decode(record.value)
            except ValueError:  # msgspec's errors are ValueErrors
                self.bad += 1
        self.records += len(records)

    async def _tell(self) -> None:
        while True:
            await asyncio.sleep(self._options.progress_seconds)
            self._print()

    def _print(self) -> None:
        counts = {"records": self.records, "bad": self.bad, "duplicates": 0, "late": 0}
        print(json.dumps(counts), flush=True)


def main() -> None:
    """Run as a contestant."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--broker", required=True, metavar="HOST:PORT")
    parser.add_argument("--group", required=True)
    parser.add_argument("--state", help="not used: there is none")
    parser.add_argument("--partitions", type=int, help="not used: all are read")
    parser.add_argument("--progress-seconds", type=float, default=1.0)
    options = parser.parse_args()
    packages = ("aiokafka", "msgspec", "uvloop")
    versions = {"python": platform.python_version()} | {name: version(name) for name in packages}
    print(json.dumps({"versions": versions, "settings": {}}), flush=True)
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 50, 50)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(Floor(options).run())


if __name__ == "__main__":
    main()
