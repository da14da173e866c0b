"""What became of accepted mail, and the inbox of what its provider says about it.

Written so that it can be run again after it died half-way: no server can take DDL back.
"""

from typing import Any

import sqlalchemy as sa
from alembic import context, op

from skene_dagster.store.migrations.columns import MOMENT

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    receipts = _table(
        "skene_receipts",
        sa.Column("send_id", sa.String(32), primary_key=True),
        sa.Column("provider_id", sa.String(64)),
        sa.Column("mode", sa.String(16), nullable=False),
        sa.Column("loop", sa.String(48), nullable=False),
        sa.Column("step", sa.String(48), nullable=False),
        sa.Column("user_id", context.config.attributes["user_id"], nullable=False),
        sa.Column("recipient", sa.String(66)),
        sa.Column("accepted_at", MOMENT, nullable=False),
        sa.Column("delivered_at", MOMENT),
        sa.Column("delayed_at", MOMENT),
        sa.Column("bounced_at", MOMENT),
        sa.Column("bounce", sa.String(16)),
        sa.Column("bounce_type", sa.String(16)),
        sa.Column("bounce_sub_type", sa.String(32)),
        sa.Column("status_codes", sa.String(64)),
        sa.Column("failed_at", MOMENT),
        sa.Column("rejected_at", MOMENT),
        sa.Column("complained_at", MOMENT),
        sa.Column("opened_at", MOMENT),
        sa.Column("last_opened_at", MOMENT),
        sa.Column("clicked_at", MOMENT),
        sa.Column("last_clicked_at", MOMENT),
        sa.Column("unsubscribed_at", MOMENT),
    )
    kept = receipts.c
    _index("skene_receipts_provider", kept.provider_id)
    _index("skene_receipts_recipient", kept.recipient, kept.accepted_at)
    _index("skene_receipts_step", kept.mode, kept.loop, kept.step, kept.accepted_at)
    webhooks = _table(
        "skene_webhooks",
        sa.Column("event_id", sa.String(128), primary_key=True),
        sa.Column("provider", sa.String(16), nullable=False),
        sa.Column("type", sa.String(64), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("happened_at", MOMENT, nullable=False),
        sa.Column("received_at", MOMENT, nullable=False),
        sa.Column("provider_id", sa.String(64)),
        sa.Column("send_id", sa.String(32)),
        sa.Column("origin", sa.String(80)),
        sa.Column("bounce_type", sa.String(16)),
        sa.Column("bounce_sub_type", sa.String(32)),
        sa.Column("status_codes", sa.String(64)),
        sa.Column("detail", sa.String(64)),
        sa.Column("address", sa.String(254)),
        sa.Column("domain", sa.String(253)),
        sa.Column("link", sa.String(500)),
        sa.Column("due_at", MOMENT),
        sa.Column("outcome", sa.String(16)),
    )
    _index("skene_webhooks_due", webhooks.c.due_at)
    _index("skene_webhooks_received", webhooks.c.received_at)


def _table(name: str, *columns: "sa.Column[Any]") -> sa.Table:
    return op.create_table(
        name,
        *columns,
        if_not_exists=True,
        mysql_engine="InnoDB",
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
    )


def _index(name: str, *columns: "sa.Column[Any]") -> None:
    sa.Index(name, *columns).create(op.get_bind(), checkfirst=True)
