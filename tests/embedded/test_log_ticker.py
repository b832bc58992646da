"""The embedded log's clock: ticks go on when it was set back, and that it was is told."""

from pathlib import Path

import pytest

from agents.tick_clock import tick_bytes
from streams.contract.topics import INPUTS
from streams.embedded.log import EmbeddedLog
from streams.embedded.transport import Broker, LogTicker
from streams.values.instant import SECOND

AT = 1_780_000_000 * SECOND


async def test_a_clock_that_went_back_goes_on_ticking_and_is_reported_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    log = EmbeddedLog(tmp_path)
    try:
        ticker = LogTicker(Broker(log, 1))
        slots = [AT, AT + 10 * SECOND, AT - 3590 * SECOND, AT - 3580 * SECOND]
        for slot in slots:
            await ticker.tick(slot, tick_bytes(slot))
        for topic in INPUTS:
            found = log.partition(topic, 0).read(0, 10)
            assert [record.value for record in found] == [tick_bytes(slot) for slot in slots]
    finally:
        log.close()
    assert len(caplog.messages) == 1
    assert "gone back by 3600 s" in caplog.text
