"""For which day's budget a batch counts, until when a domain's warm-up held emails back, and who was outranked."""

import sqlalchemy as sa
from alembic import op

from skene_dagster.store.migrations import columns
from skene_dagster.store.migrations.columns import MOMENT

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    columns.add("skene_batches", sa.Column("planned_on", sa.Date), sa.Column("from_domain", sa.String(255)))
    batches = sa.table("skene_batches", sa.column("mode"), sa.column("planned_on"))
    columns.index("skene_batches_planned", batches.c.mode, batches.c.planned_on)
    columns.add("skene_deferred", sa.Column("outranked_at", MOMENT))
    op.create_table(
        "skene_warm_ups",
        sa.Column("mode", sa.String(16), primary_key=True),
        sa.Column("domain", sa.String(255), primary_key=True),
        sa.Column("waited_on", sa.Date, nullable=False),
        if_not_exists=True,
        mysql_engine="InnoDB",
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        sqlite_with_rowid=False,
    )
