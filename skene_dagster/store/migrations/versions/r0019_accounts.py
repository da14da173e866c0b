"""Accounts in place of users: who is in a segment, what was decided about each, and which sends that is.

Where skene.yaml has no accounts, their key is of the users key's type until it has: see `store/account_tables.py`.
"""

from alembic import context, op

from skene_dagster.store.migrations import account_tables

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    attributes = context.config.attributes
    account_tables.make(op.get_bind(), attributes["account_id"], attributes["user_id"], account_tables.FIRST)
