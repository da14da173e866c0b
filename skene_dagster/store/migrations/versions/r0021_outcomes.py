"""Whether people who are compared reached the goals of a loop, and how far that is measured."""

import sqlalchemy as sa
from alembic import context, op

from skene_dagster.store.migrations import columns
from skene_dagster.store.migrations.columns import MOMENT

revision = "0021"
down_revision = "0020"

_ENROLLED = "mode", "loop", "draw", "enrolled_at"
_STATE = "mode", "state", "loop", "draw", "goal", "user_id"


def upgrade() -> None:
    arms = sa.table("skene_arms", *(sa.column(name) for name in _ENROLLED))
    columns.index("skene_arms_enrolled", *(arms.c[name] for name in _ENROLLED))
    op.create_table(
        "skene_goals",
        *_goal(),
        sa.Column("measured_as_of", MOMENT),
        sa.Column("final_before", MOMENT),
        if_not_exists=True,
        mysql_engine="InnoDB",
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        sqlite_with_rowid=False,
    )
    op.create_table(
        "skene_outcomes",
        *_goal(),
        sa.Column("user_id", context.config.attributes["user_id"], primary_key=True),
        sa.Column("window_ends_at", MOMENT, nullable=False),
        sa.Column("reached_at", MOMENT),
        sa.Column("value", sa.Double),
        sa.Column("state", sa.String(16), nullable=False),
        if_not_exists=True,
        mysql_engine="InnoDB",
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        sqlite_with_rowid=False,
    )
    outcomes = sa.table("skene_outcomes", *(sa.column(name) for name in _STATE))
    columns.index("skene_outcomes_state", *(outcomes.c[name] for name in _STATE))


def _goal() -> "list[sa.Column[object]]":
    return [
        sa.Column("mode", sa.String(16), primary_key=True),
        sa.Column("loop", sa.String(48), primary_key=True),
        sa.Column("draw", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("goal", sa.String(48), primary_key=True),
    ]
