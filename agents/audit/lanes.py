"""What the input gives for each line of each output topic, and how much of it has been found."""

from array import array

from msgspec import Struct, field

from agents.audit.findings import Place


class Series(Struct):
    """What one input partition gives for one line of an output topic, in the order of leaving.

    Of each record: hashes of its id and of what it says, and where the spool has it. The first
    `due` must be there; the first `next` have been found, or left a gap.
    """

    ids: "array[int]" = field(default_factory=lambda: array("Q"))
    contents: "array[int]" = field(default_factory=lambda: array("Q"))
    spooled: "array[int]" = field(default_factory=lambda: array("Q"))
    due: int = 0
    next: int = 0
    begun: bool = False
    """Whether a record of it was found."""
    gaps: dict[int, tuple[Place, str]] = {}
    """Records passed over: where, and the id of what was there."""


class Lane(Struct):
    """The series of one line on one output topic: most often one."""

    series: list[Series]
    partition: int | None = None
    """Of the output topic, where the first record was found."""
    index: dict[int, tuple[Series, int]] | None = None
    """Where each id is expected; made when it's first needed."""

    def find(self, id: int) -> tuple[Series, int] | None:
        """Return where a record is expected, None if it isn't."""
        if len(self.series) == 1:
            series = self.series[0]
            if series.next < len(series.ids) and series.ids[series.next] == id:
                return series, series.next
        if self.index is None:
            self.index = {
                each: (series, place)
                for series in self.series
                for place, each in enumerate(series.ids)
            }
        return self.index.get(id)
