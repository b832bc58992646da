"""EDGE: what a producer of aiokafka's has still to send, without what was given up."""

from itertools import chain
from typing import Any

from aiokafka.producer.message_accumulator import MessageAccumulator


class _Pending(set[Any]):
    """Batches on their way; aiokafka removes one that has failed although it isn't there."""

    def remove(self, batch: Any) -> None:
        """Let go of a batch, if it's here."""
        self.discard(batch)


class Accumulator(MessageAccumulator):  # type: ignore[misc]  # aiokafka's is Any to mypy
    """What waits to be sent: aiokafka's own would send what was given up, too, and stumble."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._pending_batches = _Pending()

    def fail_all(self, exception: Exception) -> None:
        """Give up all batches; who waits for one is told."""
        failed = [*chain.from_iterable(self._batches.values()), *self._pending_batches]
        super().fail_all(exception)
        self._batches.clear()
        for batch in failed:
            for future in (batch.future, batch._drain_waiter):
                if future.done() and not future.cancelled():
                    future.exception()  # nobody need ask: each record's own future has it, too

    def reenqueue(self, batch: Any) -> None:
        """Take back a batch that has to be sent once more, if somebody still waits for it."""
        if not batch.future.done():
            super().reenqueue(batch)
