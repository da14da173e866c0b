"""Since when and for what a batch waits: its own time, the attempt that nobody answered, what the provider said."""

import sqlalchemy as sa

from skene_dagster.store.migrations import columns

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    moments = (sa.Column(name, columns.MOMENT) for name in ("due_at", "unanswered_at", "absent_at"))
    columns.add("skene_batches", *moments, sa.Column("refusal", sa.String(500)))
