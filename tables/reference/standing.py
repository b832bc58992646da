"""How far this process's agents have come with master data: each says it, and the others read it.

Nothing of it outlives the process: what each agent goes on with is in its topics.
"""

from collections.abc import Mapping

from tables.reference.known import Known
from tables.reference.spreading import Noted


class Standing:
    """What `keep_reference` knows, and where `spread_reference` has copied it to."""

    def __init__(self) -> None:
        self.known = Known()
        self.learnt = 0
        """All of `reference.v1` before this offset is in `known`."""
        self.copied: Mapping[int, Noted] = {}
        """By partition of `mes.events.v1`: so far the copying has come, at least."""

    def has(self, partition: int, plant: str, offset: int) -> bool:
        """Return whether a partition surely has a plant's record of this offset."""
        noted = self.copied.get(partition)
        return noted is not None and plant in noted.plants and offset < noted.offset
