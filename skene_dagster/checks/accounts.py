"""What only the database knows about the accounts of a project: their table, who belongs to one, who owns it."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from sqlalchemy import Connection, select

from skene_dagster.checks.db_errors import at, columns_in, has, meant, names, planned
from skene_dagster.documents import Document
from skene_dagster.errors import LoopInvalid, SettingsError
from skene_dagster.loops.plan import LoopPlan
from skene_dagster.loops.planning.expressions import columns_of
from skene_dagster.product.user_tests import owner_of
from skene_dagster.settings import Accounts, Settings
from skene_dagster.store.engine import users_table
from skene_dagster.store.keys import key_of, same_as_users_key


def check_accounts(
    connection: Connection, settings: Settings, plans: Sequence[LoopPlan], settings_file: Document, as_of: datetime
) -> Iterator[SettingsError]:
    """List what in `accounts:` of skene.yaml does not match the database: what is written there, or loops need.

    Raises:
        StoreError: the database cannot be asked.
    """
    accounts = settings.accounts
    if accounts is None:
        return
    try:
        key_of(connection, accounts)
    except SettingsError as error:
        part = error.place.part if error.place else ""
        yield SettingsError(error.message, advice=error.advice, place=at(settings_file, part))
        return
    if accounts.owner.strip():
        yield from _of_the_owner(connection, accounts, settings_file, as_of)
    needed = any(step.recipient in ("most_recently_active", "everybody") for plan in plans for step in plan.steps)
    if needed or "user_column" in accounts.model_fields_set:
        try:
            same_as_users_key(connection, accounts, settings.users.table, accounts.user_column)
        except SettingsError as error:
            yield SettingsError(error.message, advice=error.advice, place=at(settings_file, "accounts.user_column"))


def check_columns(connection: Connection, plan: LoopPlan, settings: Settings) -> Iterator[LoopInvalid]:
    """List the columns that a loop's emails name of the accounts table, and that it does not have.

    Raises:
        StoreError: the database cannot be asked.
    """
    accounts = settings.accounts
    if accounts is None or not any(step.email and step.email.account_columns for step in plan.steps):
        return
    present = columns_in(connection, accounts.table)
    for number, step in enumerate(plan.steps):
        for name, text in step.email.personalization if step.email else ():
            place = plan.document.place(("steps", number, "action", "personalization", name))
            for column in sorted(columns_of(text, place).account):
                if not has(present, column):
                    said = f"Table {accounts.table!r} has no column {column!r}."
                    yield LoopInvalid(said, advice=names(column, present), place=place)


def _of_the_owner(
    connection: Connection, accounts: Accounts, settings_file: Document, as_of: datetime
) -> Iterator[SettingsError]:
    place = at(settings_file, "accounts.owner")
    try:
        said = planned(
            connection, select(owner_of(connection, accounts, as_of, settings_file)).select_from(users_table(accounts))
        )
    except SettingsError as error:
        yield error
        return
    if said:
        present = columns_in(connection, accounts.table)
        yield SettingsError(f"The database refuses this SQL: {said}.", advice=meant(said, present, []), place=place)
