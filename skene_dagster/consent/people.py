"""Whom a suppression is for: an address, the users who have it, one user, or an account.

A "no" to marketing is for an address and all of its users.
"""

from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice

from sqlalchemy import Connection, func, select

from skene_dagster.consent.recipient import Recipients, text_of
from skene_dagster.settings import Accounts, Users
from skene_dagster.settings.addresses import bare_address, unicode_form
from skene_dagster.store.engine import users_table

AT_ONCE = 10_000
"""Addresses in one statement, which reads the users table from end to end: an index of its addresses is of no use."""


@dataclass(frozen=True)
class Named:
    """Somebody whom the list of suppressions may name."""

    recipient: str
    """As `Recipients` names them."""
    address: str | None = None
    """Checked; None for a user."""
    user_id: object = None
    """None for an address, and for an account."""
    account_id: object = None
    """None for all others."""
    has: str | None = None
    """The address by which a user was found."""


def named(connection: Connection, users: Users, addresses: Collection[str]) -> list[Named]:
    """Name some addresses, each once, followed by the users who have it.

    Raises:
        ValueError: one of them is no address.
    """
    names = Recipients.of(connection)
    by_name: dict[str, str] = {}
    for address in addresses:
        by_name.setdefault(names.address(address), bare_address(address))
    owners = users_of(connection, users, by_name)
    found = []
    for name, address in by_name.items():
        found.append(Named(name, address))
        found += [Named(names.user(user_id), user_id=user_id, has=address) for user_id in owners.get(name, ())]
    return found


def named_user(connection: Connection, users: Users, user_id: object) -> Named | None:
    """Find a user; `has` is their address, None if they have no valid one."""
    table = users_table(users, users.email)
    row = connection.execute(
        select(table.c[users.key], table.c[users.email]).where(table.c[users.key] == user_id)
    ).one_or_none()
    if row is None:
        return None
    address = None
    with suppress(ValueError):
        address = bare_address(text_of(row[1]) or "")
    return Named(Recipients.of(connection).user(row[0]), user_id=row[0], has=address)


def named_account(connection: Connection, accounts: Accounts, account_id: object) -> Named | None:
    """Find an account."""
    table = users_table(accounts)
    found = connection.execute(select(table.c[accounts.key]).where(table.c[accounts.key] == account_id)).scalar()
    return None if found is None else Named(Recipients.of(connection).account(found), account_id=found)


def look(connection: Connection, users: Users) -> None:
    """Have the database read the columns by which people are found, and no row."""
    table = users_table(users, users.email)
    connection.execute(select(table.c[users.key], table.c[users.email]).limit(0)).close()


def users_of(connection: Connection, users: Users, addresses: dict[str, str]) -> dict[str, list[object]]:
    """Find the users who have some addresses.

    Args:
        addresses: by what `Recipients` names them.

    Returns:
        The keys of the users of each that has any, by the same name.
    """
    names = Recipients.of(connection)
    table = users_table(users, users.email)
    key, email = table.c[users.key], table.c[users.email]
    found: dict[str, list[object]] = {}
    rest = iter(addresses.values())
    while some := list(islice(rest, AT_ONCE)):
        spelled = {form for address in some for form in _forms(address)}
        # What the database takes for the same address is only a candidate: the hash decides.
        for user_id, text in connection.execute(select(key, email).where(func.lower(func.trim(email)).in_(spelled))):
            with suppress(ValueError):
                name = names.address(text_of(text) or "")
                if name in addresses:
                    found.setdefault(name, []).append(user_id)
    return found


def _forms(address: str) -> Iterator[str]:
    """List how a users table may spell an address, besides capitals and spaces."""
    yield address.lower()
    yield unicode_form(address).lower()
