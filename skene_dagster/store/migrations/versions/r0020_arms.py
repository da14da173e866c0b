"""Who is compared with whom, and the salt of the coin that says so."""

import sqlalchemy as sa
from alembic import context, op

from skene_dagster.store.migrations import columns
from skene_dagster.store.migrations.columns import MOMENT

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    columns.draw("coin")
    op.create_table(
        "skene_arms",
        sa.Column("mode", sa.String(16), primary_key=True),
        sa.Column("loop", sa.String(48), primary_key=True),
        sa.Column("draw", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("user_id", context.config.attributes["user_id"], primary_key=True),
        sa.Column("arm", sa.String(16), nullable=False),
        sa.Column("variant", sa.String(48)),
        sa.Column("share", sa.Double, nullable=False),
        sa.Column("enrolled_at", MOMENT, nullable=False),
        sa.Column("level", sa.String(16)),
        if_not_exists=True,
        mysql_engine="InnoDB",
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        sqlite_with_rowid=False,
    )
