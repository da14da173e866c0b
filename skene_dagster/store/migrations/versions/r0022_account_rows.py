"""Rows that trigger a step about accounts: where other tables about accounts are, with their key."""

from alembic import context, op

from skene_dagster.store.migrations import account_tables
from skene_dagster.store.tables import account_triggered

revision = "0022"
down_revision = "0021"


def upgrade() -> None:
    attributes = context.config.attributes
    account_tables.add(op.get_bind(), attributes["account_id"], attributes["user_id"], [account_triggered])
