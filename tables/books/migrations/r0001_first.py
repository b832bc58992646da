"""EDGE: the first schema of the books: the tables as tables/books/schema.py has them."""

from alembic import op

from tables.books.schema import METADATA

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make all tables and indexes; on PostgreSQL a partition for whatever no other one takes."""
    connection = op.get_bind()
    METADATA.create_all(connection)
    if connection.dialect.name == "postgresql":
        for table in METADATA.sorted_tables:
            if table.dialect_options["postgresql"].get("partition_by"):
                op.execute(f'CREATE TABLE {table.name}_rest PARTITION OF "{table.name}" DEFAULT')
