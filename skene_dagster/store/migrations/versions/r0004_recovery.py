"""What the provider's records know of a ledger that was restored from a backup."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.mysql import DATETIME

revision = "0004"
down_revision = "0003"

MOMENT = sa.DateTime().with_variant(DATETIME(fsp=6), "mysql", "mariadb")


def upgrade() -> None:
    op.create_table(
        "skene_recovered",
        sa.Column("send_id", sa.String(32), primary_key=True),
        sa.Column("provider_id", sa.String(64), nullable=False),
        sa.Column("accepted_at", MOMENT, nullable=False),
        if_not_exists=True,
        mysql_engine="InnoDB",
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
    )
