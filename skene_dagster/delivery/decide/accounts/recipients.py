"""Who of an account an email about it could go to, in the order in which they are tried."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import TypeVar

from sqlalchemy import Connection, func, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql import operators
from sqlalchemy.sql.elements import Grouping
from typing_extensions import assert_never

from skene_dagster.delivery.decide.facts import UNKNOWN_COLUMN, mapped_by_settings
from skene_dagster.errors import Place, SettingsError
from skene_dagster.loops.field_types import Recipient
from skene_dagster.loops.planning.accounts import accounts_of
from skene_dagster.product.user_tests import is_mailable, owner_of
from skene_dagster.settings import FILE, Settings
from skene_dagster.store.engine import users_table
from skene_dagster.store.failures import code_of, words_of
from skene_dagster.store.keys import folded, same_as_users_key, users_key
from skene_dagster.store.tables import user_activity

UNKNOWN_TABLE = 1146

TRIED = 20
"""How many of an account are tried, the most recently active first, until one may be mailed."""

V = TypeVar("V")


def recipients(
    connection: Connection, recipient: Recipient, settings: Settings, keys: Sequence[object], as_of: datetime
) -> dict[object, list[object]]:
    """List whom emails about accounts could go to: users keys, by account; accounts that have nobody are left out.

    Raises:
        SettingsError: what skene.yaml says of accounts does not match the database.
    """
    match recipient:
        case "owner":
            return _owners(connection, settings, keys, as_of)
        case "most_recently_active":
            return _members(connection, settings, keys, as_of, TRIED)
        case "everybody":
            return _members(connection, settings, keys, as_of, None)
        case _:
            assert_never(recipient)


def still_recipients(
    connection: Connection,
    recipient: Recipient,
    settings: Settings,
    chosen: Iterable[tuple[object, object]],
    as_of: datetime,
) -> set[tuple[object, object]]:
    """Say which of some pairs of an account and a user still belong together: as its owner, or as one of its users."""
    pairs = list(chosen)
    accounts = list(dict.fromkeys(account for account, _ in pairs))
    if recipient == "owner":
        owners = _owners(connection, settings, accounts, as_of)
        return {(account, user) for account, user in pairs if folded(user) in map(folded, owners.get(account, []))}
    users, mapped = settings.users, accounts_of(settings)
    table = users_table(users, mapped.user_column)
    belongs = select(table.c[users.key], table.c[mapped.user_column]).where(
        table.c[users.key].in_(list(dict.fromkeys(user for _, user in pairs)))
    )
    found = {folded(user): account for user, account in connection.execute(belongs)}
    return {(account, user) for account, user in pairs if folded(found.get(folded(user))) == folded(account)}


def accounts_with(
    connection: Connection, recipient: Recipient, settings: Settings, keys: Sequence[object], as_of: datetime
) -> list[object]:
    """List the accounts that some users own, or belong to.

    Raises:
        SettingsError: what skene.yaml says of accounts does not match the database.
    """
    users, mapped = settings.users, accounts_of(settings)
    if recipient == "owner":
        table = users_table(mapped)
        owner = owner_of(connection, mapped, as_of).self_group(operators.in_op)
        assert isinstance(owner, Grouping)
        query = select(table.c[mapped.key]).where(owner.in_(keys))
    else:
        same_as_users_key(connection, mapped, users.table, mapped.user_column)
        table = users_table(users, mapped.user_column)
        account = table.c[mapped.user_column]
        query = select(account).where(table.c[users.key].in_(keys), account.is_not(None)).distinct()
    with _told_of("accounts.owner"):
        return list(connection.execute(query).scalars())


def columns(
    connection: Connection, settings: Settings, keys: Sequence[object], names: Sequence[str]
) -> dict[object, Mapping[str, object]]:
    """Read columns of accounts, by key; an account that is gone is not in the answer."""
    mapped = accounts_of(settings)
    table = users_table(mapped, *names)
    wanted = [name for name in names if name != mapped.key]
    query = select(table.c[mapped.key], *(table.c[name] for name in wanted)).where(table.c[mapped.key].in_(keys))
    rows = {
        row[0]: {mapped.key: row[0], **dict(zip(wanted, row[1:], strict=True))} for row in connection.execute(query)
    }
    return dict(_by_key(rows, keys))


def _owners(
    connection: Connection, settings: Settings, keys: Sequence[object], as_of: datetime
) -> dict[object, list[object]]:
    mapped, key = accounts_of(settings), users_key(connection, settings.users)
    table = users_table(mapped)
    query = select(table.c[mapped.key], owner_of(connection, mapped, as_of)).where(table.c[mapped.key].in_(keys))
    with _told_of("accounts.owner"):
        rows = connection.execute(query).all()
    found: dict[object, list[object]] = {}
    for account, said in rows:
        owner = None if said is None else key.same_type(said)
        if said is not None and (owner is None or (not key.is_integer and not isinstance(owner, str | bytes))):
            raise SettingsError(
                f"accounts.owner gives a {type(said).__name__}, but the users key is {key.sql}.",
                advice="Write SQL that gives the users key of the owner itself.",
                place=Place(FILE, part="accounts.owner"),
            )
        if owner is not None:
            found[account] = [owner]
    return dict(_by_key(found, keys))


def _members(
    connection: Connection, settings: Settings, keys: Sequence[object], as_of: datetime, most: int | None
) -> dict[object, list[object]]:
    """List the users of accounts who may be mailed at all: some, the most recently active first; or all (None)."""
    users, mapped = settings.users, accounts_of(settings)
    same_as_users_key(connection, mapped, users.table, mapped.user_column)
    table = users_table(users, users.email, mapped.user_column)
    # By itself: what skene.yaml says of users names their columns alone.
    who = (
        select(table.c[mapped.user_column].label("account"), table.c[users.key].label("user"))
        .where(
            table.c[mapped.user_column].in_(keys),
            is_mailable(connection, users, as_of) == 1,
            func.trim(table.c[users.email]) != "",
        )
        .subquery("who")
    )
    query = select(who.c.account, who.c.user).order_by(who.c.account, who.c.user)
    if most is not None:
        last = user_activity.c.last_at
        place = func.row_number().over(partition_by=who.c.account, order_by=(last.is_(None), last.desc(), who.c.user))
        active = who.outerjoin(user_activity, user_activity.c.user_id == who.c.user)
        ranked = select(who, place.label("place")).select_from(active).subquery("ranked")
        query = (
            select(ranked.c.account, ranked.c.user)
            .where(ranked.c.place <= most)
            .order_by(ranked.c.account, ranked.c.place)
        )
    with mapped_by_settings(users):
        rows = connection.execute(query).all()
    found: dict[object, list[object]] = {}
    for named, member in rows:
        found.setdefault(named, []).append(member)
    return dict(_by_key(found, keys))


def _by_key(found: Mapping[object, V], keys: Sequence[object]) -> Iterator[tuple[object, V]]:
    """Give back by the keys that were asked for: to a collation two spellings may be one key."""
    if all(key in found or not isinstance(key, str) for key in keys):
        yield from found.items()
        return
    plain = {folded(key): value for key, value in found.items()}
    for key in keys:
        if key in found:
            yield key, found[key]
        elif folded(key) in plain:
            yield key, plain[folded(key)]


@contextmanager
def _told_of(part: str) -> Iterator[None]:
    try:
        yield
    except DBAPIError as error:
        if "no such" not in words_of(error) and code_of(error) not in (UNKNOWN_COLUMN, UNKNOWN_TABLE):
            raise
        raise SettingsError(
            f"The database refuses it: {words_of(error)}.",
            advice="Mend it; `skene-dagster validate --database` checks all of it.",
            place=Place(FILE, part=part),
        ) from error
