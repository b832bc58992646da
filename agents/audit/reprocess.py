"""An input partition processed anew, held against what the system's own state says of it."""

from collections.abc import Sequence

from msgspec import Struct

from agents.audit import findings
from agents.audit.expected_outputs import ExpectedOutputs
from agents.audit.findings import Difference, Differences, Place
from agents.audit.states import OUTCOMES, counts_by_name, state_mismatches
from streams.log.record import TP, Record
from streams.trouble import Trouble
from tables.line.rules import Rules
from tables.partition.head import OtherRulesError as StateOfOtherRulesError
from tables.partition.head import read_head as read_stored
from tables.partition.head import shape_to_go_on_with
from tables.partition.partition import Partition
from tables.store.store import HEAD, MemoryStore, Store


class OtherRulesError(Trouble):
    """A state that was made with other rules than those of the audit."""

    exit_code = 2


class Head(Struct, frozen=True):
    """How far a state is, and what it has counted: a name and a count each."""

    offset: int
    counts: dict[str, int]

    @property
    def records(self) -> int:
        """How many records the state has counted."""
        return sum(self.counts[name] for name in OUTCOMES)


def read_head(stored: bytes, source: TP, rules: Rules) -> Head:
    """Return what a changelog's head record says, or raise a `Trouble` if it can't be judged."""
    store = MemoryStore()
    store.write([(HEAD, stored)])
    topic, number = source
    where = f"the state of {topic}/{number}"
    try:
        partition = Partition(*source, rules, store)
        # A worker's state may grow; what is counted anew has all from the beginning.
        shape_to_go_on_with(read_stored(stored, where), rules, topic, where, None)
    except StateOfOtherRulesError as error:
        raise OtherRulesError(
            f"{error.told}: give the audit the settings of the job (--config)"
        ) from error
    return Head(partition.offset, counts_by_name(partition.counts))


class ReprocessedPartition:
    """Processes a partition from its first record on, and looks at its state at the head's offset.

    What the records give goes to `proof`: up to the head it's due. `begin` and `end` are the first
    offset that there is and the one past the last.
    """

    def __init__(
        self,
        source: TP,
        rules: Rules,
        store: Store,
        head: Head | None,
        begin: int,
        end: int,
        expected_outputs: ExpectedOutputs,
        stored: Store | None = None,
    ) -> None:
        """Take the input partition, a store for its ledger, and what the changelog has `stored`."""
        self.source, self.head, self.begin, self.end = source, head, begin, end
        self.partition = Partition(*source, rules, store, lasting=False)
        self.records = 0
        self.expected_outputs = expected_outputs
        self._rules, self._stored = rules, stored
        self._at_head: dict[str, int] | None = None

    def take(self, records: Sequence[Record]) -> None:
        """Process the next records of the partition."""
        if self.head is not None and self._at_head is None:
            before = [record for record in records if record.offset <= self.head.offset]
            self._step(before)
            records = records[len(before) :]
            if records:
                self._reach_head()
                self._step(records[:1])
                self._check_state(records[:1])
                records = records[1:]
        self._step(records)

    def finish(self) -> None:
        """Say that there are no more records."""
        if self.head is not None and self._at_head is None:
            self._reach_head()
            self._check_state(())

    def compare(self, differences: Differences) -> bool:
        """Hold the state's counts against the records; return False if they can't be.

        They can't where retention has removed records that the state has counted.
        """
        counts = self.partition.counts
        place = Place(*self.source)
        total = sum(getattr(counts, name) for name in OUTCOMES)
        if total != self.records:
            says = f"{total} outcomes of {self.records} records"
            differences.note(findings.miscounted(place, "records", self.records, total, says))
        head = self.head
        if head is None:
            return self.begin == 0
        place = Place(*self.source, head.offset)
        if head.offset >= self.end:
            says = f"the state is at offset {head.offset}, and the topic ends before {self.end}"
            differences.note(findings.miscounted(place, "offset", self.end - 1, head.offset, says))
            return True
        assert self._at_head is not None  # finish has seen to it
        read = sum(self._at_head[name] for name in OUTCOMES)
        if self.begin > 0 and head.records > read:
            return False
        if head.records != read:
            says = f"the state has counted {head.records} of {read} records up to its offset"
            differences.note(findings.miscounted(place, "records", read, head.records, says))
            return True
        if self._stored is not None:
            return True  # `_look_at` has seen to the counts, too
        for name in [*self._at_head, *(name for name in head.counts if name not in self._at_head)]:
            expected, found = self._at_head.get(name, 0), head.counts.get(name, 0)
            if expected != found:
                differences.note(_miscounted(place, name, expected, found))
        return True

    def _step(self, records: Sequence[Record]) -> None:
        if records:
            self.records += len(records)
            step = self.partition.step(records)
            self.partition.commit(step)
            self.expected_outputs.expect(self.source, step.outputs)

    def _reach_head(self) -> None:
        self._at_head = counts_by_name(self.partition.counts)
        self.expected_outputs.due(self.source)

    def _check_state(self, taken: Sequence[Record]) -> None:
        """Hold all that the state holds against what the records give, `taken` since the head."""
        head, at_head = self.head, self._at_head
        if self._stored is None or head is None or at_head is None:
            return
        if head.records != sum(at_head[name] for name in OUTCOMES) or head.offset >= self.end:
            return  # `compare` tells of it
        for each in state_mismatches(self.source, self._rules, self._stored, self.partition, taken):
            place = Place(*self.source, head.offset, each.key)
            if each.kind == "counts":
                difference = _miscounted(place, each.member, each.expected or 0, each.found or 0)
            else:
                told = each.member, each.expected, each.found
                difference = findings.misstated(each.kind, place, *told)
            self.expected_outputs.differences.note(difference)


def _miscounted(place: Place, name: str, expected: int, found: int) -> Difference:
    says = f"the state has counted {found} {name}, and the records give {expected}"
    return findings.miscounted(place, name, expected, found, says)
