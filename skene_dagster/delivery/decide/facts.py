"""What a decision or an email depends on, read for a page of users at a time."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Connection, Row, exists, func, select
from sqlalchemy.exc import DBAPIError

from skene_dagster.consent import suppressions
from skene_dagster.consent.recipient import Recipients, text_of
from skene_dagster.consent.suppressions import Scope, StopReason
from skene_dagster.errors import Place, SettingsError
from skene_dagster.product.mailable import is_mailable
from skene_dagster.settings import FILE, Users
from skene_dagster.store.engine import users_table
from skene_dagster.store.failures import code_of, words_of

UNKNOWN_COLUMN = 1054

K = TypeVar("K")


@dataclass(frozen=True)
class Person:
    """A user as the database has them now."""

    address: str | None
    mailable: bool
    """Whether skene.yaml allows them to be mailed at all."""
    columns: Mapping[str, object]
    """The columns asked for, the key and the address."""
    stopped_by: StopReason | None = None
    """Why the list of suppressions forbids this email to them."""


def people(
    connection: Connection, users: Users, keys: Sequence[object], columns: Sequence[str] = (), *, as_of: datetime
) -> dict[object, Person]:
    """Read the users with these keys, by key as it was asked; who is no user is not in the answer.

    Args:
        as_of: the tick's, for the clock of `users.mailable`.

    Raises:
        SettingsError: the database refuses `users.mailable` or a column that skene.yaml names.
    """
    wanted = sorted({*columns, users.email} - {users.key})
    table = users_table(users, *wanted)
    mailable = is_mailable(connection, users, as_of).label("skene_mailable")
    key_column = table.c[users.key]
    query = select(key_column, mailable, *(table.c[name] for name in wanted))

    def person(row: Row[Any]) -> Person:
        key, may, *values = tuple(row)
        named = {users.key: key, **dict(zip(wanted, values, strict=True))}
        return Person(text_of(named[users.email]), bool(may), named)

    with mapped_by_settings(users, columns):
        rows = connection.execute(query.where(key_column.in_(keys))).all()
    read = {row[0]: person(row) for row in rows}
    found = {key: read.pop(key) for key in keys if key in read}
    if read:
        # Under the collation of the users key `a` and `A` may be one user; which are, only the database knows.
        for key in keys:
            if key not in found and (row := connection.execute(query.where(key_column == key)).one_or_none()):
                found[key] = person(row)
    return found


def with_suppressions(
    connection: Connection, users: Users, people: Mapping[K, Person], scopes: Sequence[Scope], now: datetime
) -> dict[K, Person]:
    """Look some users up in the list of suppressions, by their addresses and by themselves.

    Args:
        scopes: what stops this email.
    """
    if not people or suppressions.is_empty(connection):
        return dict(people)
    named = recipients(connection, users, people)
    stopped = suppressions.stopped(connection, {name for names in named.values() for name in names}, scopes, now)
    return {key: replace(one, stopped_by=suppressions.widest(named[key], stopped)) for key, one in people.items()}


def recipients(connection: Connection, users: Users, people: Mapping[K, Person]) -> dict[K, tuple[str, ...]]:
    """Say what the list of suppressions knows some users by."""
    by_hash = Recipients.of(connection)
    return {key: by_hash.of_user(one.columns[users.key], one.address) for key, one in people.items()}


def may_be_mailed(
    connection: Connection, users: Users, key: ColumnElement[Any], *, as_of: datetime
) -> ColumnElement[bool]:
    """Say that the user of this key has an address and may be mailed, as a condition.

    Raises:
        SettingsError: `users.mailable` cannot be used on this database.
    """
    table = users_table(users, users.email)
    mailable = is_mailable(connection, users, as_of)
    return exists().where(table.c[users.key] == key, mailable == 1, func.trim(table.c[users.email]) != "")


@contextmanager
def mapped_by_settings(users: Users, columns: Sequence[str] = ()) -> Iterator[None]:
    """Say where a name is that the database does not know: in skene.yaml, for the statement is ours.

    Args:
        columns: what an email names of the users table; another place tells of those.

    Raises:
        SettingsError: the database does not know a column that skene.yaml names.
    """
    try:
        yield
    except DBAPIError as error:
        words = words_of(error)
        if "no such column" not in words and code_of(error) != UNKNOWN_COLUMN:
            raise
        of_the_email = {name for name in columns if name != users.email}
        if any(re.search(rf"\b{re.escape(name)}\b", words) for name in of_the_email):
            raise
        part = "users.email" if re.search(rf"\b{re.escape(users.email)}\b", words) else "users.mailable"
        raise SettingsError(
            f"The database refuses it: {words}.",
            advice="Mend it; `skene-dagster validate --database` checks all of it.",
            place=Place(FILE, part=part),
        ) from error
