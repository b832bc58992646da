"""EDGE: master data, the last record of each key."""

from collections.abc import Mapping

from sqlalchemy import Connection

from tables.books.inserting import Row, inserting
from tables.books.schema import REFERENCES


def write_references(connection: Connection, rows: Mapping[str, Row]) -> None:
    """Write the records of keys, unless a later one is there."""
    if not rows:
        return
    adding = inserting(connection, REFERENCES)
    names = [column.name for column in REFERENCES.columns]
    connection.execute(
        adding.on_conflict_do_update(
            index_elements=["key"],
            set_={name: adding.excluded[name] for name in names if name != "key"},
            where=adding.excluded.position > REFERENCES.c.position,
        ),
        [dict(zip(names, row, strict=True)) for _, row in sorted(rows.items())],
    )
