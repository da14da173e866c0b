"""The first tables: segments and their members, sends and their batches.

Written so that it can be run again after it died half-way: no server can take DDL back.
"""

from typing import Any

import sqlalchemy as sa
from alembic import context, op
from sqlalchemy.dialects.mysql import DATETIME, LONGBLOB

revision = "0001"
down_revision = None

MOMENT = sa.DateTime().with_variant(DATETIME(fsp=6), "mysql", "mariadb")
BLOB = sa.LargeBinary().with_variant(LONGBLOB(), "mysql", "mariadb")


def upgrade() -> None:
    user_id = context.config.attributes["user_id"]
    _table(
        "skene_meta",
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("value", sa.String(255), nullable=False),
    )
    _table(
        "skene_segments",
        sa.Column("segment", sa.String(100), primary_key=True),
        sa.Column("as_of", MOMENT),
        sa.Column("first_as_of", MOMENT),
        sa.Column("writing_as_of", MOMENT),
        sa.Column("fence", sa.BigInteger, nullable=False),
        sa.Column("owner", sa.String(64)),
        sa.Column("lease_until", MOMENT),
        sa.Column("members", sa.BigInteger, nullable=False),
        sa.Column("entered", sa.BigInteger, nullable=False),
        sa.Column("exited", sa.BigInteger, nullable=False),
        sa.Column("unknown_keys", sa.BigInteger, nullable=False),
        sa.Column("refreshed_at", MOMENT),
    )
    _table(
        "skene_segment_members",
        sa.Column("segment", sa.String(100), primary_key=True),
        sa.Column("exited_at", MOMENT, primary_key=True),
        sa.Column("user_id", user_id, primary_key=True),
        sa.Column("entered_at", MOMENT, nullable=False),
        sa.Column("exit_reason", sa.String(16)),
        sa.Column("attributes", sa.Text),
        sqlite_with_rowid=False,
    )
    sends = _table(
        "skene_sends",
        sa.Column("channel", sa.String(16), primary_key=True),
        sa.Column("loop", sa.String(48), primary_key=True),
        sa.Column("step", sa.String(48), primary_key=True),
        sa.Column("user_id", user_id, primary_key=True),
        sa.Column("occurrence", sa.String(64), primary_key=True),
        sa.Column("send_id", sa.String(32), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("reason", sa.String(64)),
        sa.Column("detail", sa.String(255)),
        sa.Column("as_of", MOMENT, nullable=False),
        sa.Column("decided_at", MOMENT, nullable=False),
        sa.Column("batch_id", sa.String(32)),
        sa.Column("position", sa.SmallInteger),
        sa.Column("provider_id", sa.String(64)),
        sa.Column("accepted_at", MOMENT),
    )
    sa.Index("skene_sends_batch", sends.c.batch_id, sends.c.position).create(op.get_bind(), checkfirst=True)
    batches = _table(
        "skene_batches",
        sa.Column("batch_id", sa.String(32), primary_key=True),
        sa.Column("channel", sa.String(16), nullable=False),
        sa.Column("loop", sa.String(48), nullable=False),
        sa.Column("step", sa.String(48), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("size", sa.Integer, nullable=False),
        sa.Column("parent_id", sa.String(32)),
        sa.Column("as_of", MOMENT, nullable=False),
        sa.Column("reserved_at", MOMENT, nullable=False),
        sa.Column("owner", sa.String(64)),
        sa.Column("lease_until", MOMENT),
        sa.Column("payload", BLOB),
        sa.Column("frozen_at", MOMENT),
        sa.Column("first_attempt_at", MOMENT),
        sa.Column("unresolved_since", MOMENT),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("error", sa.String(500)),
        sa.Column("settled_at", MOMENT),
        sa.Column("written_back_at", MOMENT),
    )
    sa.Index("skene_batches_open", batches.c.channel, batches.c.loop, batches.c.step, batches.c.state).create(
        op.get_bind(), checkfirst=True
    )


def _table(name: str, *columns: sa.Column[Any], **options: bool) -> sa.Table:
    return op.create_table(
        name,
        *columns,
        if_not_exists=True,
        mysql_engine="InnoDB",
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        **options,
    )
