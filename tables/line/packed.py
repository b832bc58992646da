"""Rows in MessagePack, as a store keeps them; sums past 64 bits as decimal text."""

from streams.values import wide, writer
from tables.line.rows import Row
from tables.line.windows import RowKey

_to = writer.Writer()


def rows_bytes(rows: dict[RowKey, Row]) -> bytes:
    """Return rows: [start, members, sums, count, causes] of each."""
    writer.begin(_to)
    writer.pack_list(_to, len(rows))
    for (start, members), row in rows.items():
        writer.pack_list(_to, 5)
        writer.pack_number(_to, start)
        writer.pack_list(_to, len(members))
        for member in members:
            if member is None or member is True or member is False:
                writer.pack_constant(_to, member)
            else:
                writer.pack_text(_to, member)
        writer.pack_list(_to, row.width)
        for slot in range(row.width):
            pack_sum(_to, row.sums[slot])
        writer.pack_number(_to, row.count)
        writer.pack_list(_to, len(row.causes))
        for cause in row.causes:
            writer.pack_text(_to, cause)
    return writer.taken(_to)


def pack_sum(to: writer.Writer, number: int) -> None:
    """Pack billionths: a number, or past 64 bits its decimal text."""
    if wide.is_small(number):
        writer.pack_wide(to, number)
    else:
        writer.pack_text(to, str(wide.number_of(number)))
