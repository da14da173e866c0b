"""Why a loop is paused, from when on its emails are judged, and which email somebody answered."""

import sqlalchemy as sa

from skene_dagster.store.migrations import columns
from skene_dagster.store.migrations.columns import MOMENT

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    columns.add("skene_controls", sa.Column("paused_because", sa.String(255)), sa.Column("judged_from", MOMENT))
    columns.add("skene_preferences", sa.Column("send_id", sa.String(32)))
    preferences = sa.table("skene_preferences", sa.column("said_at"))
    columns.index("skene_preferences_said", preferences.c.said_at)
