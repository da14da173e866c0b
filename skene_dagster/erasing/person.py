"""Who is to be erased: which users, by which names consent knows them, and which addresses of theirs are known."""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace

from sqlalchemy import ColumnElement, Connection, Table, literal, select

from skene_dagster.behaviour.user_ids import UserIds
from skene_dagster.consent import erasures
from skene_dagster.consent.people import named, named_user
from skene_dagster.consent.recipient import Recipients
from skene_dagster.settings import Users
from skene_dagster.settings.addresses import bare_address
from skene_dagster.store.engine import is_sqlite, users_table
from skene_dagster.store.keys import users_key
from skene_dagster.store.tables import contacts, metadata, preferences, receipts, suppressions
from skene_dagster.store.tables import erasures as erasures_table

BY_USER: tuple[Table, ...] = tuple(
    table for table in metadata.sorted_tables if "user_id" in table.c and table is not erasures_table
)
"""The tables with rows of users: whichever are there, so that a new one is not forgotten."""


@dataclass(frozen=True)
class Person:
    """Somebody who is to be erased."""

    users: tuple[object, ...]
    """Their users keys: none if only an address is known, several if users share it."""
    names: frozenset[str]
    """What consent knows them and their addresses by, former ones included."""
    addresses: frozenset[str]
    """Those that are known in the clear."""
    in_product: tuple[object, ...]
    """Those of their keys that the users table still has."""
    moved: tuple[object, ...] = ()
    """Users who once were mailed at the address and have another one now: they are not erased."""
    shared_with: tuple[object, ...] = ()
    """Other users of their address: they are not erased, either."""
    shared: frozenset[str] = frozenset()
    """By what consent knows that address: what it got counts for those others."""


def find(connection: Connection, users: Users, text: str) -> Person | None:
    """Find a person by a users key, or by an address; None: nothing is known of them.

    Raises:
        SettingsError: the users table is not what skene.yaml says.
    """
    with suppress(ValueError):
        key = UserIds.of(users_key(connection, users), sqlite=is_sqlite(connection)).read(text)
        if (person := _by_key(connection, users, key)) is not None:
            return person
    with suppress(ValueError):
        return _by_address(connection, users, bare_address(text))
    return None


def _by_key(connection: Connection, users: Users, key: object) -> Person | None:
    found = named_user(connection, users, key)
    user_id = key if found is None else found.user_id
    if found is None and not _has_rows(connection, user_id):
        name = Recipients.of(connection).user(user_id)
        return Person((), frozenset([name]), frozenset(), ()) if _is_named(connection, [name]) else None
    address = found.has if found else None
    sharing = named(connection, users, [address]) if address else []
    others = tuple(one.user_id for one in sharing if one.address is None and one.user_id != user_id)
    in_product = () if found is None else (user_id,)
    person = _whole(connection, [user_id], [address] if address else [], in_product, shared_with=others)
    shared = frozenset([Recipients.of(connection).address(address)] if address and others else [])
    return replace(person, shared=shared)


def _by_address(connection: Connection, users: Users, address: str) -> Person | None:
    owners = tuple(one.user_id for one in named(connection, users, [address]) if one.address is None)
    name = Recipients.of(connection).address(address)
    mailed = _mailed_at(connection, name) - set(owners)
    moved = _there(connection, users, mailed)
    gone = mailed - moved
    if not (owners or gone or moved or _is_named(connection, [name])):
        return None
    return _whole(connection, [*owners, *gone], [address], owners, moved=tuple(moved))


def _whole(
    connection: Connection,
    keys: Iterable[object],
    addresses: Iterable[str],
    in_product: tuple[object, ...],
    *,
    moved: tuple[object, ...] = (),
    shared_with: tuple[object, ...] = (),
) -> Person:
    recipients = Recipients.of(connection)
    keys = list(keys)
    names = {recipients.user(key) for key in keys} | {recipients.address(one) for one in addresses}
    for table in (contacts, receipts):
        used = select(table.c.recipient).where(table.c.user_id.in_(keys), table.c.recipient.is_not(None)).distinct()
        names |= set(connection.execute(used).scalars()) if keys else set()
    known = {*addresses, *erasures.addresses_of(connection, names)}
    return Person(tuple(keys), frozenset(names), frozenset(known), in_product, moved, shared_with)


def _mailed_at(connection: Connection, name: str) -> set[object]:
    """List the keys of users who were mailed at an address."""
    found: set[object] = set()
    for table in (contacts, receipts):
        found |= set(connection.execute(select(table.c.user_id).where(table.c.recipient == name).distinct()).scalars())
    given = select(erasures_table.c.user_id).where(erasures_table.c.user_id.is_not(None))
    return found - set(connection.execute(given).scalars())


def _there(connection: Connection, users: Users, keys: set[object]) -> set[object]:
    key = users_table(users).c[users.key]
    return set(connection.execute(select(key).where(key.in_(list(keys)))).scalars()) if keys else set()


def _has_rows(connection: Connection, key: object) -> bool:
    return any(_is_there(connection, table.c.user_id == key) for table in BY_USER)


def _is_named(connection: Connection, names: list[str]) -> bool:
    """Whether consent knows somebody, or they were erased of late."""
    known = [table.c.recipient.in_(names) for table in (suppressions, preferences)]
    return any(_is_there(connection, one) for one in known) or bool(erasures.names(connection) & set(names))


def _is_there(connection: Connection, which: ColumnElement[bool]) -> bool:
    return connection.execute(select(literal(1)).where(which).limit(1)).first() is not None
