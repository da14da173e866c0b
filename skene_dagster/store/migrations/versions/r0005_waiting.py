"""Since when and for what a batch waits: its own time, the attempt that nobody answered, what the provider said."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.mysql import DATETIME

revision = "0005"
down_revision = "0004"

MOMENT = sa.DateTime().with_variant(DATETIME(fsp=6), "mysql", "mariadb")


TABLE = "skene_batches"


def upgrade() -> None:
    for name in ("due_at", "unanswered_at", "absent_at"):
        _add(sa.Column(name, MOMENT))
    _add(sa.Column("refusal", sa.String(500)))


def _add(column: "sa.Column[object]") -> None:
    found = sa.inspect(op.get_bind())
    # Where the statements are only printed, the table itself may be missing.
    there = {known["name"] for known in found.get_columns(TABLE)} if found.has_table(TABLE) else set()
    if column.name not in there:
        op.add_column(TABLE, column)
