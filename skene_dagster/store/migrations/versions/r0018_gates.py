"""What the gates said that hold a step, and which of them a person lets its next tick pass."""

import sqlalchemy as sa

from skene_dagster.store.migrations import columns

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    columns.add("skene_steps", sa.Column("said", sa.Text), sa.Column("accepted", sa.String(64)))
