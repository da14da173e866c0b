"""Whether the recipients of a step ask for its emails: complaints about those pause nothing."""

import sqlalchemy as sa

from skene_dagster.store.migrations import columns

revision = "0029"
down_revision = "0028"


def upgrade() -> None:
    columns.add("skene_steps", sa.Column("transactional", sa.SmallInteger))
