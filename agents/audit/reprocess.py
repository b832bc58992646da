"""Processes an input partition again, and compares the result with the system's own state."""

from collections.abc import Sequence

from msgspec import Struct

from agents.audit import findings
from agents.audit.expected_outputs import ExpectedOutputs
from agents.audit.findings import Difference, Differences, Place
from agents.audit.states import OUTCOMES, UNREADABLE, counts_by_name, state_mismatches
from streams.log.record import TP, Outgoing, Record
from streams.trouble import Trouble
from tables.line.rules import Rules
from tables.partition.head import OtherRulesError as StateOfOtherRulesError
from tables.partition.head import read_head as read_stored
from tables.partition.head import shape_to_go_on_with
from tables.partition.partition import Partition
from tables.partition.released import GROUP
from tables.store.store import HEAD, MemoryStore, Store


class OtherRulesError(Trouble):
    """The state was made with other rules than those of the audit."""

    exit_code = 2


class Head(Struct, frozen=True):
    """The last offset that a state has processed, and its counts by name."""

    offset: int
    counts: dict[str, int]

    @property
    def records(self) -> int:
        """The number of records that the state has counted."""
        return sum(self.counts[name] for name in OUTCOMES)


def read_head(stored: bytes, source: TP, rules: Rules) -> Head:
    """Return the head from a changelog; raises a `Trouble` if the audit can't judge it."""
    store = MemoryStore()
    store.write([(HEAD, stored)])
    topic, number = source
    where = f"the state of {topic}/{number}"
    try:
        partition = Partition(*source, rules, store)
        # A worker's state may have grown by new counts; reprocessing has them from the beginning.
        shape_to_go_on_with(read_stored(stored, where), rules, topic, where, None)
    except StateOfOtherRulesError as error:
        raise OtherRulesError(
            f"{error.told}: give the audit the settings of the job (--config)"
        ) from error
    return Head(partition.offset, counts_by_name(partition.counts))


class ReprocessedPartition:
    """Processes a partition from its first record on, and checks the stored state at its head.

    The outputs go to `expected_outputs`; those of records up to the head are due. `begin` is the
    first offset of the partition, `end` the offset after its last.
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
        """`store` gets the ledger of the new run; `stored` is the state from the changelog."""
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
        """Note that the partition has no more records."""
        if self.head is not None and self._at_head is None:
            self._reach_head()
            self._check_state(())

    def compare(self, differences: Differences) -> bool:
        """Compare the state's counts with the records; return False if that isn't possible.

        It isn't possible where retention has deleted records that the state has counted.
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
        assert self._at_head is not None  # set by `finish`
        read = sum(self._at_head[name] for name in OUTCOMES)
        if self.begin > 0 and head.records > read:
            return False
        if head.records != read:
            says = f"the state has counted {head.records} of {read} records up to its offset"
            differences.note(findings.miscounted(place, "records", read, head.records, says))
            return True
        if self._stored is not None:
            return True  # `_check_state` has compared the counts, too
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
        self.expected_outputs.due(self.source, self._to_come())

    def _to_come(self) -> Sequence[Outgoing]:
        """Return what the stored state still sends by itself: it was written during a release."""
        if self._stored is None or next(self._stored.scan(GROUP), None) is None:
            return ()
        try:
            found = Partition(*self.source, self._rules, self._stored)
            return found.step(()).outputs if found.unfinished else ()
        except UNREADABLE:
            return ()  # `state_mismatches` says so

    def _check_state(self, taken: Sequence[Record]) -> None:
        """Compare the stored state with the reprocessed one, which has `taken` records more."""
        head, at_head = self.head, self._at_head
        if self._stored is None or head is None or at_head is None:
            return
        if head.records != sum(at_head[name] for name in OUTCOMES) or head.offset >= self.end:
            return  # `compare` reports it
        for each in state_mismatches(self.source, self._rules, self._stored, self.partition, taken):
            place = Place(*self.source, head.offset, each.key)
            if each.kind == "counts":
                difference = _miscounted(place, each.member, each.expected or 0, each.found or 0)
            else:
                difference = findings.misstated(
                    each.kind, place, each.member, each.expected, each.found
                )
            self.expected_outputs.differences.note(difference)


def _miscounted(place: Place, name: str, expected: int, found: int) -> Difference:
    says = f"the state has counted {found} {name}, and the records give {expected}"
    return findings.miscounted(place, name, expected, found, says)
