"""What is wrong for as long as it lasts, which ops failed, and which targets refuse alerts."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from skene_dagster.store.migrations import columns
from skene_dagster.store.migrations.columns import MOMENT

revision = "0016"
down_revision = "0015"

ON_SERVERS: dict[str, Any] = {
    "if_not_exists": True,
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_bin",
}


def upgrade() -> None:
    op.create_table(
        "skene_incidents",
        sa.Column("kind", sa.String(32), primary_key=True),
        sa.Column("subject", sa.String(191), primary_key=True),
        sa.Column("closed_at", MOMENT, primary_key=True),
        sa.Column("opened_at", MOMENT, nullable=False),
        sa.Column("about", sa.String(255), nullable=False),
        sa.Column("said", sa.String(1000), nullable=False),
        sa.Column("to_do", sa.String(255), nullable=False),
        sa.Column("gone_at", MOMENT),
        sa.Column("told_at", MOMENT),
        sa.Column("told_to", sa.String(255), nullable=False),
        sa.Column("over_told_at", MOMENT),
        sa.Column("over_told_to", sa.String(255), nullable=False),
        **ON_SERVERS,
    )
    columns.index("skene_incidents_closed", sa.table("skene_incidents", sa.column("closed_at")).c.closed_at)
    op.create_table(
        "skene_failures",
        sa.Column("loop", sa.String(48), primary_key=True),
        sa.Column("step", sa.String(48), primary_key=True),
        sa.Column("op", sa.String(128), primary_key=True),
        sa.Column("failed_at", MOMENT, nullable=False),
        sa.Column("may_pass", sa.SmallInteger, nullable=False),
        sa.Column("said", sa.String(1000), nullable=False),
        sa.Column("to_do", sa.String(255), nullable=False),
        **ON_SERVERS,
    )
    op.create_table(
        "skene_alerts",
        sa.Column("target", sa.String(16), primary_key=True),
        sa.Column("refused_at", MOMENT, nullable=False),
        sa.Column("answer", sa.String(64), nullable=False),
        **ON_SERVERS,
    )
