"""Outcomes without an index on their state: it took longer to write than what it finds."""

from skene_dagster.store.migrations import columns

revision = "0026"
down_revision = "0025"


def upgrade() -> None:
    columns.drop_index("skene_outcomes", "skene_outcomes_state")
