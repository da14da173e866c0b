"""What a decision or an email depends on, read for a page of users at a time."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, func, literal, select
from sqlalchemy.exc import DBAPIError

from skene_dagster.checks.db_errors import unknown_column
from skene_dagster.consent import suppressions
from skene_dagster.consent.permission import Purpose, Refusal, refusals
from skene_dagster.consent.recipient import Recipients, text_of
from skene_dagster.errors import Place, SettingsError
from skene_dagster.loops.plan import Email
from skene_dagster.product import user_tests
from skene_dagster.product.user_tests import is_mailable
from skene_dagster.settings import FILE, Settings, Users
from skene_dagster.store.engine import users_table
from skene_dagster.store.failures import code_of, words_of

UNKNOWN_COLUMN = 1054


@dataclass(frozen=True)
class Person:
    """A user as the database has them now."""

    address: str | None
    mailable: bool
    """Whether skene.yaml allows them to be mailed at all."""
    columns: Mapping[str, object]
    """The columns asked for, the key and the address."""
    has_agreed: bool = False
    """Whether they agreed in the product to what the email is about."""
    names: tuple[str, ...] = ()
    """What consent knows them by: themselves, and their address if it is one. Empty where nobody was asked about."""
    refusal: Refusal | None = None
    """Why this email may not be sent to them."""

    @property
    def recipient(self) -> str | None:
        """Their address, which is named after themselves; None where it is none, or they were not named."""
        return self.names[1] if len(self.names) > 1 else None


def read(
    connection: Connection,
    users: Users,
    keys: Sequence[object],
    columns: Sequence[str] = (),
    *,
    as_of: datetime,
    agreed: ColumnElement[int] = literal(0),  # noqa: B008 - it never changes
    asked: Mapping[str, str] | None = None,
    named_by: Recipients | None = None,
) -> dict[object, Person]:
    """Read the users with these keys, by key as it was asked; who is no user is not in the answer.

    Args:
        as_of: the tick's, for the clock of `users.mailable`.
        agreed: says of each whether they agreed.
        asked: as `mapped_by_settings` has it.
        named_by: names them; None: nobody is asked about.

    Raises:
        SettingsError: the database refuses `users.mailable`, `asked` or a column that skene.yaml names.
    """
    wanted = sorted({*columns, users.email} - {users.key})
    table = users_table(users, *wanted)
    mailable = is_mailable(connection, users, as_of).label("skene_mailable")
    key_column = table.c[users.key]
    query = select(key_column, mailable, agreed.label("skene_agreed"), *(table.c[name] for name in wanted))

    def person(row: Row[Any]) -> Person:
        key, may, yes, *values = tuple(row)
        named = {users.key: key, **dict(zip(wanted, values, strict=True))}
        address = text_of(named[users.email])
        names = () if named_by is None else named_by.of_user(key, address)
        return Person(address, bool(may), named, bool(yes), names)

    with mapped_by_settings(users, columns, asked):
        rows = connection.execute(query.where(key_column.in_(keys))).all()
    answer = {row[0]: person(row) for row in rows}
    found = {key: answer.pop(key) for key in keys if key in answer}
    if answer:
        # Under the collation of the users key `a` and `A` may be one user; which are, only the database knows.
        for key in keys:
            if key not in found and (row := connection.execute(query.where(key_column == key)).one_or_none()):
                found[key] = person(row)
    return found


def people(
    connection: Connection,
    settings: Settings,
    email: Email,
    keys: Sequence[object],
    columns: Sequence[str] = (),
    *,
    as_of: datetime,
    now: datetime | None,
    named: bool = False,
) -> dict[object, Person]:
    """Read users as `read` does, and whether an email may be sent to them now.

    Args:
        now: None: there is no table of ours yet, so nobody has said anything.
        named: whether to name them even where there is nothing to ask about them.
    """
    users, purpose = settings.users, Purpose.of(settings, email.topic)
    has_agreed: ColumnElement[int] = literal(0)
    asked: dict[str, str] = {}
    if purpose.needs_consent and purpose.topic is not None:
        topic = settings.topics[purpose.topic]
        asked[f"topics.{purpose.topic}.asked"] = topic.asked
        has_agreed = user_tests.has_agreed(connection, users, purpose.topic, topic, as_of)
    is_asked = now is not None and (purpose.needs_consent or not suppressions.is_empty(connection))
    named_by = Recipients.of(connection) if is_asked or (named and now is not None) else None
    found = read(connection, users, keys, columns, as_of=as_of, agreed=has_agreed, asked=asked, named_by=named_by)
    if now is None:
        without = {key for key, one in found.items() if purpose.needs_consent and not one.has_agreed}
        return {key: replace(one, refusal="no_consent") if key in without else one for key, one in found.items()}
    if is_asked:
        names = {key: one.names for key, one in found.items()}
        agreed = {key for key, one in found.items() if one.has_agreed}
        for key, refusal in refusals(connection, names, agreed, purpose, now).items():
            found[key] = replace(found[key], refusal=refusal)
    return found


def reachable(connection: Connection, users: Users, *, as_of: datetime) -> Select[Any]:
    """Select the keys of the users who have an address and may be mailed.

    Raises:
        SettingsError: `users.mailable` cannot be used on this database.
    """
    table = users_table(users, users.email)
    mailable = is_mailable(connection, users, as_of)
    return select(table.c[users.key]).where(mailable == 1, func.trim(table.c[users.email]) != "")


def may_be_mailed(
    connection: Connection, users: Users, key: ColumnElement[Any], *, as_of: datetime
) -> ColumnElement[bool]:
    """Say that the user of this key has an address and may be mailed, as a condition; see `reachable`."""
    them = reachable(connection, users, as_of=as_of)
    return them.where(them.selected_columns[0] == key).exists()


@contextmanager
def mapped_by_settings(
    users: Users, columns: Sequence[str] = (), asked: Mapping[str, str] | None = None
) -> Iterator[None]:
    """Say where a name is that the database does not know: in skene.yaml, for the statement is ours.

    Args:
        columns: what an email names of the users table; another place tells of those.
        asked: the SQL that says who agreed, by its part of skene.yaml.

    Raises:
        SettingsError: the database does not know a column that skene.yaml names.
    """
    try:
        yield
    except DBAPIError as error:
        words = words_of(error)
        if "no such column" not in words and code_of(error) != UNKNOWN_COLUMN:
            raise
        said = {"users.email": users.email, "users.locale": users.locale or "", **(asked or {})}
        of_the_email = {name for name in columns if name not in said.values()}
        if any(re.search(rf"\b{re.escape(name)}\b", words) for name in of_the_email):
            raise
        unknown = re.compile(rf"\b{re.escape(unknown_column(words))}\b")
        part = next((part for part, text in said.items() if unknown.search(text)), "users.mailable")
        raise SettingsError(
            f"The database refuses it: {words}.",
            advice="Mend it; `skene-dagster validate --database` checks all of it.",
            place=Place(FILE, part=part),
        ) from error
