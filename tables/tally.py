"""How many records have left, by type."""

from collections import Counter
from collections.abc import Iterable

from msgspec import Struct, field

from streams.record import Outgoing
from streams.topics import ERP_TRANSACTIONS, EXCEPTIONS


class Tally(Struct):
    """Counts what leaves, by type; exceptions are counted by their partition."""

    transactions: Counter[str] = field(default_factory=Counter)
    summaries: Counter[str] = field(default_factory=Counter)

    def add(self, outputs: Iterable[Outgoing]) -> None:
        """Count these records."""
        for record in outputs:
            if record.topic == ERP_TRANSACTIONS:
                self.transactions[record.type] += 1
            elif record.topic != EXCEPTIONS:
                self.summaries[record.type] += 1
