"""What sending needs beyond the first tables: whose emails a frozen body holds, people's orders, the common pace.

Written so that it can be run again after it died half-way: no server can take DDL back.
"""

import sqlalchemy as sa
from alembic import op

from skene_dagster.store.migrations import columns
from skene_dagster.store.migrations.columns import MOMENT

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    columns.add("skene_batches", sa.Column("send_ids", sa.Text), sa.Column("last_attempt_at", MOMENT))
    if not sa.inspect(op.get_bind()).has_index("skene_batches", "skene_batches_state"):
        op.create_index("skene_batches_state", "skene_batches", ["state", "unresolved_since"])
    _table(
        "skene_controls",
        sa.Column("loop", sa.String(48), primary_key=True),
        sa.Column("step", sa.String(48), primary_key=True),
        sa.Column("paused_at", MOMENT),
        sa.Column("cancelled_at", MOMENT),
        sa.Column("approved_at", MOMENT),
    )
    _table(
        "skene_pacing",
        sa.Column("account", sa.String(64), primary_key=True),
        sa.Column("per_second", sa.Double, nullable=False),
        sa.Column("next_at", MOMENT, nullable=False),
        sa.Column("closed_until", MOMENT),
        sa.Column("reason", sa.String(255)),
    )


def _table(name: str, *columns: "sa.Column[object]") -> None:
    op.create_table(
        name,
        *columns,
        if_not_exists=True,
        mysql_engine="InnoDB",
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
    )
