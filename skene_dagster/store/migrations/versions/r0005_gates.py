"""What the collapse and explosion limits need: when `set` was written, and when a person accepted a change."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.mysql import DATETIME

revision = "0005"
down_revision = "0004"

MOMENT = sa.DateTime().with_variant(DATETIME(fsp=6), "mysql", "mariadb")


def upgrade() -> None:
    _add("skene_segments", sa.Column("accepted_at", MOMENT))
    _add("skene_segment_members", sa.Column("set_at", MOMENT))


def _add(table: str, column: "sa.Column[object]") -> None:
    found = sa.inspect(op.get_bind())
    # Where the statements are only printed, the table itself may be missing.
    there = {known["name"] for known in found.get_columns(table)} if found.has_table(table) else set()
    if column.name not in there:
        op.add_column(table, column)
