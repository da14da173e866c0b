"""Columns that a release adds to an older table, or renames."""

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


def rename(table: str, old: str, new: str) -> None:
    """Rename a column, unless it was renamed before: see `add`."""
    found = sa.inspect(op.get_bind())
    if not found.has_table(table) or old in {known["name"] for known in found.get_columns(table)}:
        # Alembic would write CHANGE, with the type, for which a server copies the table.
        op.execute(f"ALTER TABLE {table} RENAME COLUMN {old} TO {new}")
