"""How far each step has decided, and who is decided again when: a tick looks at what is new, not at everybody.

What was deferred moves out of skene_sends. Of no step it is known how far it has decided: its next tick looks at all.
Written so that it can be run again after it died half-way: no server can take DDL back.
"""

from typing import Any

import sqlalchemy as sa
from alembic import context, op

from skene_dagster.store.migrations.columns import MOMENT

revision = "0008"
down_revision = "0007"

KEY = ("mode", "loop", "step", "user_id", "occurrence")


def upgrade() -> None:
    _table(
        "skene_steps",
        sa.Column("reserved_as_of", MOMENT),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("hold", sa.String(16)),
        sa.Column("fence", sa.BigInteger, nullable=False),
    )
    deferred = _table(
        "skene_deferred",
        sa.Column("user_id", context.config.attributes["user_id"], primary_key=True),
        sa.Column("occurrence", sa.String(64), primary_key=True),
        sa.Column("reason", sa.String(64), nullable=False),
        sa.Column("detail", sa.String(255)),
        sa.Column("as_of", MOMENT, nullable=False),
        sa.Column("decided_at", MOMENT, nullable=False),
        sa.Column("ask_at", MOMENT, nullable=False),
        sqlite_with_rowid=False,
    )
    columns = deferred.c
    due = sa.Index("skene_deferred_due", columns.mode, columns.loop, columns.step, columns.ask_at, columns.user_id)
    due.create(op.get_bind(), checkfirst=True)
    _move(deferred)


def _move(deferred: sa.Table) -> None:
    names = (*KEY, "reason", "detail", "as_of", "decided_at")
    sends = sa.table("skene_sends", sa.column("state"), *(sa.column(name) for name in names))
    is_deferred = sends.c.state == "deferred"
    is_there = sa.exists().where(*(deferred.c[name] == sends.c[name] for name in KEY))
    rows = sa.select(*(sends.c[name] for name in names), sends.c.as_of).where(is_deferred, ~is_there)
    op.execute(sa.insert(deferred).from_select([*names, "ask_at"], rows))
    op.execute(sa.delete(sends).where(is_deferred))


def _table(name: str, *columns: "sa.Column[Any]", **options: Any) -> sa.Table:
    lengths = {"mode": 16, "loop": 48, "step": 48}
    return op.create_table(
        name,
        *(sa.Column(part, sa.String(length), primary_key=True) for part, length in lengths.items()),
        *columns,
        if_not_exists=True,
        mysql_engine="InnoDB",
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        **options,
    )
