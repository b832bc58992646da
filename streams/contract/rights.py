"""Who may do what on a cluster: the rights of each role, made from the catalogue of topics."""

import shlex
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, Literal

from msgspec import Struct

from streams.contract.topics import (
    AUDIT,
    CLOCK,
    ERP_MASTER,
    ERP_TRANSACTIONS,
    EXCEPTIONS,
    INPUTS,
    MACHINE_EVENTS,
    MES_EVENTS,
    OUTPUTS,
    REFERENCE,
    changelog,
    topics_of,
)

Role = Literal[
    "worker", "mes", "machines", "erp", "steward", "analyst", "clerk", "desk", "auditor", "operator"
]

ROLES: Final[Mapping[Role, str]] = {
    "worker": "`lineside worker`: reads inputs, writes outputs, keeps its states",
    "mes": "an MES: writes its events, and reads nothing",
    "machines": "machines and gateways: write their events, and read nothing",
    "erp": "the ERP's interface: reads transactions",
    "steward": "ERP, QMS and people with master data: write it, and read what is known",
    "analyst": "analytics: reads summaries",
    "clerk": "whoever clears exceptions: reads them, and with them what was refused",
    "desk": "`lineside desk`: reads all that came and left, and sends what people mended again",
    "auditor": "`lineside audit`: reads inputs, outputs and changelogs",
    "operator": "`lineside topics create` and `check`: makes topics, and looks at their settings",
}
"""What each is for; `lineside simulate` is `mes` and `machines` in one."""

Kind = Literal["topic", "group", "transactionalId"]
Pattern = Literal["literal", "prefix"]
Operation = Literal["Read", "Write", "Create", "Describe", "DescribeConfigs"]
"""As Kafka and Strimzi spell them. Read and Write imply Describe."""


class Resource(Struct, frozen=True, kw_only=True, rename="camel"):
    """What a right is on; the members are those of Strimzi's `KafkaUser`."""

    type: Kind
    name: str
    pattern_type: Pattern = "literal"


class Right(Struct, frozen=True, kw_only=True):
    """What may be done with a resource, from any host."""

    resource: Resource
    operations: tuple[Operation, ...]


def rights_of(role: Role, group: str) -> tuple[Right, ...]:
    """Return what a role needs around the job of a group, and nothing else.

    None needs a right on the cluster: since Kafka 2.8 whoever may write to a topic may do so
    idempotently.
    """
    match role:
        case "worker":
            return tuple(_worker(group))
        case "mes":
            return _on_topics([MES_EVENTS], "Write")
        case "machines":
            return _on_topics([MACHINE_EVENTS], "Write")
        case "erp":
            return (*_on_topics([ERP_TRANSACTIONS], "Read"), _groups(role))
        case "steward":
            return (*_on_topics([ERP_MASTER], "Write"), *_on_topics([REFERENCE], "Read"))
        case "analyst":
            summaries = [name for name in OUTPUTS if name.startswith("summary.")]
            return (*_on_topics(summaries, "Read"), _groups(role))
        case "clerk":
            return (*_on_topics([EXCEPTIONS], "Read"), _groups(role))
        case "desk":
            return tuple(_desk(group))
        case "auditor":
            return _on_topics([*INPUTS, *OUTPUTS, *_changelogs(group)], "Read")
        case "operator":
            names = [topic.name for topic in topics_of(group)]
            return _on_topics(names, "Create", "Describe", "DescribeConfigs")


def _worker(group: str) -> Iterator[Right]:
    """Yield the rights of a worker: it looks at the settings of all its topics before it starts."""
    yield from _on_topics(INPUTS, "Read", "Write", "DescribeConfigs")  # it writes its ticks there
    written = [name for name in OUTPUTS if name != EXCEPTIONS]
    yield from _on_topics(written, "Write", "DescribeConfigs")
    yield from _on_topics([EXCEPTIONS], "Read", "Write", "DescribeConfigs")  # some go again
    yield from _on_topics([ERP_MASTER], "Read", "DescribeConfigs")
    own = [REFERENCE, *_changelogs(group), CLOCK]
    yield from _on_topics(own, "Read", "Write", "DescribeConfigs")
    yield Right(resource=Resource(type="group", name=group), operations=("Read",))
    for topic in INPUTS:  # one for each partition: it shuts out the owner before
        name = f"{group}-{topic}-"
        ids = Resource(type="transactionalId", name=name, pattern_type="prefix")
        yield Right(resource=ids, operations=("Write",))
    # One worker at a time writes ticks, keeps master data, and sends refused events again.
    for office in ("clock", "reference", "resent"):
        one = Resource(type="transactionalId", name=f"{group}-{office}")
        yield Right(resource=one, operations=("Write",))


def _desk(group: str) -> Iterator[Right]:
    """Yield the rights of a desk: its own group shares the work, and what is mended goes again."""
    yield from _on_topics(
        [*INPUTS, ERP_MASTER, AUDIT], "Read", "Write"
    )  # what is mended goes again
    yield from _on_topics([*OUTPUTS, REFERENCE], "Read")
    job = Resource(type="group", name=group)
    yield Right(resource=job, operations=("Describe",))  # the offsets that its job has committed
    own = Resource(type="group", name=f"{group}-desk")
    yield Right(resource=own, operations=("Read",))
    ids = Resource(type="transactionalId", name=f"{group}-desk-", pattern_type="prefix")
    yield Right(resource=ids, operations=("Write",))


def _on_topics(names: Iterable[str], *operations: Operation) -> tuple[Right, ...]:
    return tuple(
        Right(resource=Resource(type="topic", name=name), operations=operations) for name in names
    )


def _groups(role: Role) -> Right:
    """Return the right to read in consumer groups whose names begin with the role's."""
    return Right(
        resource=Resource(type="group", name=role, pattern_type="prefix"), operations=("Read",)
    )


def _changelogs(group: str) -> list[str]:
    return [changelog(group, topic) for topic in INPUTS]


OPTIONS: Final[Mapping[Kind, str]] = {
    "topic": "--topic",
    "group": "--group",
    "transactionalId": "--transactional-id",
}

PATTERNS: Final[Mapping[Pattern, str]] = {"literal": "literal", "prefix": "prefixed"}


def commands(principal: str, rights: Iterable[Right], servers: str) -> list[str]:
    """Return the `kafka-acls.sh` commands that give a principal these rights.

    `principal` is as Kafka names it: `User:name`, or `User:CN=name` of a client certificate.
    """
    add = f"kafka-acls.sh --bootstrap-server {servers} --add"
    return [
        f"{add} --allow-principal {shlex.quote(principal)}"
        + "".join(f" --operation {operation}" for operation in right.operations)
        + f" --resource-pattern-type {PATTERNS[right.resource.pattern_type]}"
        + f" {OPTIONS[right.resource.type]} {right.resource.name}"
        for right in rights
    ]
