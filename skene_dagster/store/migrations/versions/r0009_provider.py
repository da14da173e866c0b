"""By which provider a batch is sent: its frozen bytes are that one's. What is open when it runs, Resend has sent."""

import sqlalchemy as sa
from alembic import op

from skene_dagster.store.migrations import columns

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    columns.add("skene_batches", sa.Column("provider", sa.String(16)))
    op.execute(
        "UPDATE skene_batches SET provider = 'resend' WHERE provider IS NULL AND state IN ('frozen', 'in_doubt')"
    )
