"""The tables about accounts, whose key has the type of the accounts key; which may be named long after they were made.

They are always there. While a project has no accounts, they are empty, and are made anew once it has.
"""

from sqlalchemy import Connection, MetaData, select
from sqlalchemy.schema import CreateTable, DropTable

from skene_dagster.settings import Accounts, Users
from skene_dagster.store.keys import KeyType, common_key, key_of, stored_key, users_key
from skene_dagster.store.tables import (
    account_decisions,
    account_deferred,
    account_members,
    account_sends,
    accounts_of_type,
)

_TABLES = (account_members, account_deferred, account_decisions, account_sends)


def make(connection: Connection, account_id: KeyType, user_id: KeyType) -> None:
    """Make the tables and indexes that are not there."""
    for table in accounts_of_type(MetaData(), account_id, user_id):
        connection.execute(CreateTable(table, if_not_exists=True))
        for index in table.indexes:
            index.create(connection, checkfirst=True)


def fit(connection: Connection, accounts: Accounts | None) -> bool:
    """Whether the tables have the type of the accounts key, or the project has none.

    Raises:
        StoreError: they have another one, and rows.
        SettingsError: the accounts table or its key is not what skene.yaml says.
    """
    if accounts is None or stored_key(connection, accounts) == key_of(connection, accounts):
        return True
    if any(connection.execute(select(1).select_from(table).limit(1)).first() for table in _TABLES):
        common_key(connection, accounts)
    return False


def make_anew(connection: Connection, accounts: Accounts, users: Users) -> None:
    """Give the tables, which are empty, the type of the accounts key."""
    for table in _TABLES:
        connection.execute(DropTable(table))
    make(connection, key_of(connection, accounts).type, users_key(connection, users).type)
