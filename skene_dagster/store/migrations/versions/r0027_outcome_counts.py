"""Counts of outcomes that do not change any more."""

import sqlalchemy as sa
from alembic import op

from skene_dagster.store.migrations import columns
from skene_dagster.store.migrations.columns import MOMENT

revision = "0027"
down_revision = "0032"


def upgrade() -> None:
    op.create_table(
        "skene_outcome_counts",
        sa.Column("mode", sa.String(16), primary_key=True),
        sa.Column("loop", sa.String(48), primary_key=True),
        sa.Column("draw", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("goal", sa.String(48), primary_key=True),
        sa.Column("day", sa.Date, primary_key=True),
        sa.Column("share", sa.Double, primary_key=True),
        sa.Column("arm", sa.String(16), primary_key=True),
        sa.Column("variant", sa.String(48), primary_key=True),
        sa.Column("level", sa.String(16), primary_key=True),
        sa.Column("people", sa.Integer, nullable=False),
        sa.Column("reached", sa.Integer, nullable=False),
        if_not_exists=True,
        mysql_engine="InnoDB",
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        sqlite_with_rowid=False,
    )
    columns.add("skene_goals", sa.Column("counted_before", MOMENT))
