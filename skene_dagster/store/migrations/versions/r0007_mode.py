"""`channel` is called `mode`: of a message, a channel is email, SMS or push. Only names change, no row."""

from skene_dagster.store.migrations import columns

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    for table in ("skene_sends", "skene_batches", "skene_triggered", "skene_entitlements"):
        columns.rename(table, "channel", "mode")
