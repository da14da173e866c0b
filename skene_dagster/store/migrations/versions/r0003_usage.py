"""What users do: events, days, activity, adoption, levels, milestones; and what follows from a single row of theirs.

Written so that it can be run again after it died half-way: no server can take DDL back.
"""

import sqlalchemy as sa
from alembic import context, op
from sqlalchemy.dialects.mysql import DATETIME

revision = "0003"
down_revision = "0002"

MOMENT = sa.DateTime().with_variant(DATETIME(fsp=6), "mysql", "mariadb")


def upgrade() -> None:
    user_id = context.config.attributes["user_id"]
    events = _table(
        "skene_events",
        sa.Column("event_id", sa.String(64), primary_key=True),
        sa.Column("user_id", user_id, nullable=False),
        sa.Column("name", sa.String(128), nullable=False),
        sa.Column("occurred_at", MOMENT, nullable=False),
        sa.Column("received_at", MOMENT, nullable=False),
        sa.Column("properties", sa.Text),
    )
    _index("skene_events_received", events.c.received_at)
    _index("skene_events_name", events.c.name, events.c.received_at)
    _index("skene_events_user", events.c.user_id, events.c.occurred_at)
    _table(
        "skene_rollups",
        sa.Column("rollup", sa.String(64), primary_key=True),
        sa.Column("as_of", MOMENT),
        sa.Column("first_as_of", MOMENT),
        sa.Column("writing_as_of", MOMENT),
        sa.Column("watermark", MOMENT),
        sa.Column("fence", sa.BigInteger, nullable=False),
        sa.Column("owner", sa.String(64)),
        sa.Column("lease_until", MOMENT),
        sa.Column("finished_at", MOMENT),
    )
    _table(
        "skene_definitions",
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("first_on", sa.Date, nullable=False),
    )
    _table(
        "skene_events_ahead",
        sa.Column("user_id", user_id, primary_key=True),
        sa.Column("day", sa.Date, primary_key=True),
        sqlite_with_rowid=False,
    )
    days = _table(
        "skene_user_days",
        sa.Column("user_id", user_id, primary_key=True),
        sa.Column("day", sa.Date, primary_key=True),
        sa.Column("event", sa.String(128), primary_key=True),
        sa.Column("uses", sa.Integer, nullable=False),
        sa.Column("first_at", MOMENT, nullable=False),
        sa.Column("last_at", MOMENT, nullable=False),
        sqlite_with_rowid=False,
    )
    _index("skene_user_days_day", days.c.day)
    activity = _table(
        "skene_user_activity",
        sa.Column("user_id", user_id, primary_key=True),
        sa.Column("first_at", MOMENT, nullable=False),
        sa.Column("last_at", MOMENT, nullable=False),
        sa.Column("days", sa.Integer, nullable=False),
        sa.Column("uses", sa.BigInteger, nullable=False),
        sa.Column("active_since", MOMENT, nullable=False),
        sa.Column("returned_at", MOMENT),
        sa.Column("power_since", MOMENT),
        sa.Column("power_until", MOMENT),
        sqlite_with_rowid=False,
    )
    _index("skene_user_activity_last", activity.c.last_at)
    adoption = _table(
        "skene_feature_adoption",
        sa.Column("user_id", user_id, primary_key=True),
        sa.Column("feature", sa.String(64), primary_key=True),
        sa.Column("first_at", MOMENT, nullable=False),
        sa.Column("last_at", MOMENT, nullable=False),
        sa.Column("uses", sa.BigInteger, nullable=False),
        sa.Column("days", sa.Integer, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("state_since", MOMENT, nullable=False),
        sqlite_with_rowid=False,
    )
    _index("skene_feature_adoption_state", adoption.c.feature, adoption.c.state, adoption.c.last_at)
    levels = _table(
        "skene_engagement_levels",
        sa.Column("user_id", user_id, primary_key=True),
        sa.Column("left_at", MOMENT, primary_key=True),
        sa.Column("level", sa.String(16), nullable=False),
        sa.Column("entered_at", MOMENT, nullable=False),
        sa.Column("changes_at", MOMENT, nullable=False),
        sqlite_with_rowid=False,
    )
    _index("skene_engagement_levels_level", levels.c.left_at, levels.c.level, levels.c.entered_at)
    _index("skene_engagement_levels_due", levels.c.left_at, levels.c.changes_at)
    milestones = _table(
        "skene_milestones",
        sa.Column("milestone", sa.String(64), primary_key=True),
        sa.Column("user_id", user_id, primary_key=True),
        sa.Column("reached_on", sa.Date, nullable=False),
        sa.Column("recorded_at", MOMENT, nullable=False),
        sqlite_with_rowid=False,
    )
    _index("skene_milestones_reached", milestones.c.milestone, milestones.c.reached_on)
    triggered = _table(
        "skene_triggered",
        sa.Column("channel", sa.String(16), primary_key=True),
        sa.Column("segment", sa.String(100), primary_key=True),
        sa.Column("user_id", user_id, primary_key=True),
        sa.Column("occurrence", sa.String(64), primary_key=True),
        sa.Column("triggered_at", MOMENT, nullable=False),
        sa.Column("entered_at", MOMENT, nullable=False),
        sa.Column("attributes", sa.Text),
        sqlite_with_rowid=False,
    )
    _index("skene_triggered_entered", triggered.c.channel, triggered.c.segment, triggered.c.entered_at)
    _table(
        "skene_entitlements",
        sa.Column("channel", sa.String(16), primary_key=True),
        sa.Column("user_id", user_id, primary_key=True),
        sa.Column("loop", sa.String(48), primary_key=True),
        sa.Column("step", sa.String(48), primary_key=True),
        sa.Column("lifted_at", MOMENT, primary_key=True),
        sa.Column("blocked_at", MOMENT, nullable=False),
        sa.Column("message", sa.Text, nullable=False),
    )


def _index(name: str, *columns: "sa.Column[object]") -> None:
    sa.Index(name, *columns).create(op.get_bind(), checkfirst=True)


def _table(name: str, *columns: "sa.Column[object]", **options: bool) -> sa.Table:
    return op.create_table(
        name,
        *columns,
        if_not_exists=True,
        mysql_engine="InnoDB",
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        **options,
    )
