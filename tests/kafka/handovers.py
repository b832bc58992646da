"""How input partitions of a job on Kafka went from the first version to this one."""

from collections.abc import Iterable, Iterator

from aiokafka import ConsumerRecord

from kafka_workers import KafkaJob, record_of
from streams.contract.topics import INPUTS, changelog
from streams.kafka.writer import FENCE
from tables.partition.head import FORMATS, format_of
from tables.store.store import HEAD, MemoryStore
from upgraded import Handover, Inputs


def handovers(job: KafkaJob) -> Iterator[Handover]:
    """Yield those of all input partitions, by what is on the changelogs.

    An owner writes a fence before anything else: what is before the last fence in front of the
    first head of this version is the first version's.
    """
    for topic in INPUTS:
        for tp, records in job.read([changelog(job.group, topic)]).items():
            heads = [at for at, record in enumerate(records) if record.key == HEAD]
            told = [format_of(records[at].value) for at in heads]
            assert told == sorted(told)
            assert set(told) == {FORMATS[0], FORMATS[-1]}, told
            first = heads[told.index(FORMATS[-1])]
            fence = max(at for at in range(first) if records[at].key.startswith(FENCE))
            yield Handover((topic, tp.partition), _state(records[:fence]), _state(records))


def formats(job: KafkaJob) -> set[int]:
    """Return the formats of the states, by what their changelogs say last; 0: of one without."""
    found = set()
    for topic in INPUTS:
        for records in job.read([changelog(job.group, topic)]).values():
            heads = [record.value for record in records if record.key == HEAD]
            found.add(format_of(heads[-1]) if heads else 0)
    return found


def inputs_of(job: KafkaJob) -> Inputs:
    """Return what is on the input topics."""
    return {
        (tp.topic, tp.partition): [record_of(each) for each in records]
        for tp, records in job.read(INPUTS).items()
    }


def _state(records: Iterable[ConsumerRecord]) -> MemoryStore:
    store = MemoryStore()
    store.write([(each.key, each.value) for each in records if not each.key.startswith(FENCE)])
    return store
