"""What a release adds to an older table or renames in it, and rows of random bytes."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.mysql import DATETIME

MOMENT = sa.DateTime().with_variant(DATETIME(fsp=6), "mysql", "mariadb")


def add(table: str, *columns: "sa.Column[Any]") -> None:
    """Add the missing columns: a server does not roll back DDL, so a migration that died is run again."""
    found = sa.inspect(op.get_bind())
    # Where the statements are only printed, the table itself may be missing.
    there = {known["name"] for known in found.get_columns(table)} if found.has_table(table) else set()
    for column in columns:
        if column.name not in there:
            op.add_column(table, column)


def index(name: str, *columns: "sa.ColumnClause[Any]") -> None:
    """Make an index on an older table, unless it is there."""
    table = columns[0].table
    assert isinstance(table, sa.TableClause)
    found = sa.inspect(op.get_bind())
    if found.has_table(table.name) and name in {known["name"] for known in found.get_indexes(table.name)}:
        return
    op.create_index(name, table.name, [column.name for column in columns])


def drop_index(table: str, name: str) -> None:
    """Drop an index of an older table, unless it was dropped before: see `add`."""
    found = sa.inspect(op.get_bind())
    if not found.has_table(table) or name in {known["name"] for known in found.get_indexes(table)}:
        op.drop_index(name, table)


def rename(table: str, old: str, new: str) -> None:
    """Rename a column, unless it was renamed before: see `add`."""
    found = sa.inspect(op.get_bind())
    if not found.has_table(table) or old in {known["name"] for known in found.get_columns(table)}:
        # Alembic would write CHANGE, with the type, for which a server copies the table.
        op.execute(f"ALTER TABLE {table} RENAME COLUMN {old} TO {new}")


def draw(name: str) -> None:
    """Keep 32 random bytes in a row of skene_meta, unless they are there.

    The database draws them, so that no output of `migrate --sql` has them.
    """
    meta = sa.table("skene_meta", sa.column("name"), sa.column("value"))
    drawn = sa.func.randomblob(32) if op.get_bind().dialect.name == "sqlite" else sa.func.random_bytes(32)
    row = sa.select(sa.literal(name), sa.func.lower(sa.func.hex(drawn)))
    is_there = sa.exists().where(meta.c.name == name)
    op.execute(sa.insert(meta).from_select(["name", "value"], row.where(~is_there)))
