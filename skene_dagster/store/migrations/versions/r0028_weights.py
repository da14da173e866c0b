"""How those who are mailed are divided over variants, kept with each who is drawn."""

import sqlalchemy as sa
from alembic import op

from skene_dagster.store.migrations import columns

revision = "0028"
down_revision = "0027"


def upgrade() -> None:
    columns.add("skene_arms", sa.Column("weights", sa.String(640)))
    # Where it is not there, the statements are only printed, and those of r0023 make it as it is now.
    if sa.inspect(op.get_bind()).has_table("skene_account_arms"):
        columns.add("skene_account_arms", sa.Column("weights", sa.String(640)))
