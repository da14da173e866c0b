"""Rows that trigger a step about accounts: where other tables about accounts are, with their key."""

from alembic import context, op

from skene_dagster.store.keys import type_of
from skene_dagster.store.migrations import account_tables
from skene_dagster.store.tables import account_members, account_triggered

revision = "0022"
down_revision = "0021"


def upgrade() -> None:
    attributes = context.config.attributes
    # What skene.yaml says of accounts may have changed since those were made; of statements that are only printed
    # they are not there yet.
    known = type_of(op.get_bind(), account_members.name, "account_id")
    account_id = attributes["account_id"] if known is None else known.type
    account_tables.make(op.get_bind(), account_id, attributes["user_id"], [account_triggered])
