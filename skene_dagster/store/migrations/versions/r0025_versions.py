"""Which versions of the project's files have run, and the domains of the addresses that emails went to."""

import sqlalchemy as sa
from alembic import op

from skene_dagster.store.migrations import columns
from skene_dagster.store.migrations.columns import MOMENT

revision = "0025"
down_revision = "0023"


def upgrade() -> None:
    op.create_table(
        "skene_versions",
        sa.Column("loop", sa.String(48), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("since", MOMENT, nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("described", sa.Text, nullable=False),
        sa.Column("said", sa.Text, nullable=False),
        if_not_exists=True,
        mysql_engine="InnoDB",
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        sqlite_with_rowid=False,
    )
    columns.index("skene_versions_since", sa.table("skene_versions", sa.column("since")).c.since)
    columns.add("skene_receipts", sa.Column("domain", sa.String(253)))
    columns.add("skene_batches", sa.Column("domains", sa.Text))
