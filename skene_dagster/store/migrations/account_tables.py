"""The tables about accounts, whose key has the type of the accounts key; which may be named long after they were made.

They are always there. While a project has no accounts, they are empty, and are made anew once it has.
"""

from collections.abc import Sequence

from sqlalchemy import Connection, MetaData, Table, select
from sqlalchemy.schema import CreateIndex, CreateTable, DropTable

from skene_dagster.settings import Accounts, Users
from skene_dagster.store.keys import KeyType, common_key, key_of, type_of, users_key
from skene_dagster.store.tables import (
    account_arms,
    account_decisions,
    account_deferred,
    account_members,
    account_people,
    account_sends,
    account_triggered,
    accounts_of_type,
)

FIRST = (account_members, account_decisions, account_deferred, account_sends)
"""Those of the release that first had accounts."""

_TABLES = (*FIRST, account_triggered, account_arms, account_people)
"""The first is made last, and dropped first: once it is there, all are, with their indexes."""


def add(connection: Connection, account_id: KeyType, user_id: KeyType, tables: Sequence[Table]) -> None:
    """Make tables of a later release than the first ones, with the key that those have, as `make` does."""
    # What skene.yaml says of accounts may have changed since those were made; of statements that are only printed
    # they are not there yet.
    known = type_of(connection, account_members.name, "account_id")
    make(connection, account_id if known is None else known.type, user_id, tables)


def make(connection: Connection, account_id: KeyType, user_id: KeyType, tables: Sequence[Table]) -> None:
    """Make those of some tables and their indexes that are not there; the first of them last."""
    for table in _described(account_id, user_id, tables):
        connection.execute(CreateTable(table, if_not_exists=True))
        for index in table.indexes:
            index.create(connection, checkfirst=True)


def fit(connection: Connection, accounts: Accounts | None) -> bool:
    """Whether the tables are there, with the type of the accounts key, or the project has no accounts.

    Raises:
        StoreError: they have another one, and rows.
        SettingsError: the accounts table or its key is not what skene.yaml says.
    """
    if accounts is None:
        return True
    wanted = key_of(connection, accounts)
    stored = {table: type_of(connection, table.name, "account_id") for table in _TABLES}
    if all(key == wanted for key in stored.values()):
        return True
    there = [table for table, key in stored.items() if key is not None]
    if any(connection.execute(select(1).select_from(table).limit(1)).first() for table in there):
        common_key(connection, accounts)
    return False


def make_anew(connection: Connection, accounts: Accounts, users: Users) -> None:
    """Give the tables, which are empty, the type of the accounts key."""
    for table in _TABLES:
        connection.execute(DropTable(table, if_exists=True))
    # Nothing is looked for: where the statements are only printed, what is dropped is there still.
    for table in _described(key_of(connection, accounts).type, users_key(connection, users).type, _TABLES):
        connection.execute(CreateTable(table))
        for index in table.indexes:
            connection.execute(CreateIndex(index))


def _described(account_id: KeyType, user_id: KeyType, tables: Sequence[Table]) -> list[Table]:
    described = {table.name: table for table in accounts_of_type(MetaData(), account_id, user_id)}
    return [described[table.name] for table in reversed(tables)]
