"""The records expected for each line of each output topic, and how many of them were found."""

from array import array

from msgspec import Struct, field

from agents.audit.findings import Place


class Series(Struct):
    """The records of one input partition for one line of an output topic, in the order they leave.

    Each record has a hash of its id, a hash of its content, and its position in the spool file. The
    first `due` records must be there. The first `next` records were found or are in `gaps`.
    """

    ids: "array[int]" = field(default_factory=lambda: array("Q"))
    contents: "array[int]" = field(default_factory=lambda: array("Q"))
    spooled: "array[int]" = field(default_factory=lambda: array("Q"))
    due: int = 0
    next: int = 0
    begun: bool = False
    """Whether any of the records was found."""
    gaps: dict[int, tuple[Place, str]] = {}
    """Records skipped so far, by index: where, and the id of the record found there."""


class Lane(Struct):
    """The series of one line on one output topic, most often a single one."""

    series: list[Series]
    partition: int | None = None
    """The partition of the output topic in which the first record was found."""
    index: dict[int, tuple[Series, int]] | None = None
    """The series and index of each expected id; built when first needed."""

    def find(self, id: int) -> tuple[Series, int] | None:
        """Return where a record is expected, None if it isn't expected."""
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
