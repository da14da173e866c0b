"""What was kept for emails about accounts may name one of their people: the condition's columns, and what was said.

What the product says of an account that stays is kept again by the next refresh.
"""

from collections.abc import Collection
from contextlib import suppress
from datetime import datetime

from sqlalchemy import Column, ColumnElement, Connection, Table, func, null, or_, select, tuple_, update

from skene_dagster.delivery.decide.accounts.recipients import accounts_with
from skene_dagster.errors import SettingsError
from skene_dagster.settings import Settings
from skene_dagster.store.subjects import ACCOUNT_SENDS
from skene_dagster.store.tables import account_deferred, account_members, account_triggered

KEPT: tuple[Column[str | None], ...] = (account_members.c.attributes, account_triggered.c.attributes)
"""Where the columns are."""

SAID: Column[str | None] = account_deferred.c.detail
"""Why an email could not be made."""


def accounts_of(connection: Connection, settings: Settings, user_id: object, now: datetime) -> list[object]:
    """List the accounts whose user somebody is, or was when they were mailed about them, or whose owner."""
    link = ACCOUNT_SENDS.c
    found = set(connection.execute(select(link.user_id).where(link.recipient_id == user_id).distinct()).scalars())
    if settings.accounts is not None:
        # Whatever is wrong with what skene.yaml says of accounts, the rest of them is erased.
        with suppress(SettingsError):
            for recipient in ("everybody", "owner") if settings.accounts.owner.strip() else ("everybody",):
                found.update(accounts_with(connection, recipient, settings, [user_id], now))
    return list(found)


def forget_some(
    connection: Connection, kept: Column[str | None], accounts: Collection[object], words: Collection[str], limit: int
) -> int:
    """Forget what is kept of some accounts, or says one of these words; return how many rows it was, up to a limit."""
    table = kept.table
    assert isinstance(table, Table)
    says: list[ColumnElement[bool]] = [func.lower(kept).contains(word.lower(), autoescape=True) for word in words]
    key = list(table.primary_key)
    which = or_(table.c.account_id.in_(accounts), *says)
    rows = connection.execute(select(*key).where(kept.is_not(None), which).order_by(*key).limit(limit)).all()
    if rows:
        theirs = tuple_(*key).in_([tuple(row) for row in rows])
        connection.execute(update(table).where(theirs).values({kept: null()}))
    return len(rows)
