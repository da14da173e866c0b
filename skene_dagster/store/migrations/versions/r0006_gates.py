"""What the collapse and explosion limits need: when `set` was written, and when a person accepted a change."""

import sqlalchemy as sa

from skene_dagster.store.migrations import columns

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    columns.add("skene_segments", sa.Column("accepted_at", columns.MOMENT))
    columns.add("skene_segment_members", sa.Column("set_at", columns.MOMENT))
