"""Accounts in place of users: which are compared with which, and who of them."""

from alembic import context, op

from skene_dagster.store.migrations import account_tables
from skene_dagster.store.tables import account_arms, account_people

revision = "0023"
down_revision = "0022"


def upgrade() -> None:
    attributes = context.config.attributes
    account_tables.add(op.get_bind(), attributes["account_id"], attributes["user_id"], [account_arms, account_people])
