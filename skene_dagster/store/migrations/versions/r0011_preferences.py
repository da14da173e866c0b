"""What recipients said about topics, and the first key that signs the links by which they say it."""

import sqlalchemy as sa
from alembic import op

from skene_dagster.store.migrations import columns
from skene_dagster.store.migrations.columns import MOMENT

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    op.create_table(
        "skene_preferences",
        sa.Column("recipient", sa.String(66), primary_key=True),
        sa.Column("scope", sa.String(64), primary_key=True),
        sa.Column("said_at", MOMENT, primary_key=True),
        sa.Column("answer", sa.String(3), nullable=False),
        sa.Column("source", sa.String(64), nullable=False),
        sa.Column("text_digest", sa.String(64)),
        if_not_exists=True,
        mysql_engine="InnoDB",
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
    )
    columns.draw("signing_key_0001")
