"""Who was erased, while something of them may still come in or has to wait."""

import sqlalchemy as sa
from alembic import context, op

from skene_dagster.store.migrations.columns import MOMENT

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    op.create_table(
        "skene_erasures",
        sa.Column("erasure_id", sa.String(32), primary_key=True),
        sa.Column("user_id", context.config.attributes["user_id"]),
        sa.Column("recipients", sa.Text, nullable=False),
        sa.Column("waits_for", sa.Text),
        sa.Column("erased_at", MOMENT, nullable=False),
        if_not_exists=True,
        mysql_engine="InnoDB",
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
    )
