"""EDGE: whole partition batches through Faust, one message for many records."""

from typing import Any

import faust
from msgspec import Struct

from streams.record import Record


class Batch(Struct, frozen=True):
    """Records of one input partition in the order of their offsets; never empty."""

    topic: str
    partition: int
    records: list[Record]


class BatchSchema(faust.Schema):  # type: ignore[misc]  # Faust's stubs leave it Any
    """Marks a topic as delivered in batches: key and value pass as they are.

    What a record says is read by the agent, so that one bad record is one exception and no more
    (Faust acknowledges a message that it can't decode, and restarts the agent).
    """

    def loads_key(
        self, app: Any, message: Any, *, loads: Any = None, serializer: Any = None
    ) -> Any:
        """Return the key as it is."""
        return message.key

    def loads_value(
        self, app: Any, message: Any, *, loads: Any = None, serializer: Any = None
    ) -> Any:
        """Return the value, a `Batch`, as it is."""
        return message.value
