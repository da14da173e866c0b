"""Who may not be mailed, the salt of the hashes that they are known by, and the recipients of a frozen batch."""

import sqlalchemy as sa
from alembic import op

from skene_dagster.store.migrations import columns
from skene_dagster.store.migrations.columns import MOMENT

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.create_table(
        "skene_suppressions",
        sa.Column("recipient", sa.String(66), primary_key=True),
        sa.Column("scope", sa.String(64), primary_key=True),
        sa.Column("lifted_at", MOMENT, primary_key=True),
        sa.Column("since", MOMENT, nullable=False),
        sa.Column("repeated_at", MOMENT, nullable=False),
        sa.Column("reason", sa.String(64), nullable=False),
        sa.Column("source", sa.String(64), nullable=False),
        sa.Column("address", sa.String(254)),
        sa.Column("lift_reason", sa.String(255)),
        if_not_exists=True,
        mysql_engine="InnoDB",
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
    )
    columns.add("skene_batches", sa.Column("recipients", sa.Text))
    columns.draw("salt")
