"""In which language an email was: with its batch until it is accepted, then in its receipt."""

import sqlalchemy as sa

from skene_dagster.store.migrations import columns

revision = "0032"
down_revision = "0026"


def upgrade() -> None:
    columns.add("skene_batches", sa.Column("languages", sa.Text))
    columns.add("skene_receipts", sa.Column("language", sa.String(40)))
