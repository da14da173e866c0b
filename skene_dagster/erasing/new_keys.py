"""Draw a key that is nobody's, of the type of the users key: what a send has once its user was erased.

This module owns the row `erased_down_to` of skene_meta.
"""

import secrets
from collections.abc import Callable

from sqlalchemy import Connection, insert, select, update
from typing_extensions import assert_never

from skene_dagster.behaviour.user_ids import UserId, UserIds
from skene_dagster.delivery import ledger
from skene_dagster.errors import StoreError
from skene_dagster.settings import Users
from skene_dagster.store.engine import is_sqlite, users_table
from skene_dagster.store.keys import common_key
from skene_dagster.store.tables import meta

LENGTH = 32
"""Characters, or bytes, of a key that is drawn: nobody has it already."""

TRIES = 100

_DOWN_TO = "erased_down_to"


def draw(connection: Connection, users: Users) -> UserId:
    """Draw a key: of numbers the highest that is free, downwards; else one at random.

    Raises:
        StoreError: all are used.
        IntegrityError: another process draws the first one at this moment; do it again.
    """
    ids = UserIds.of(common_key(connection, users), sqlite=is_sqlite(connection))
    match ids.kind:
        case "integer":
            return _next_below(connection, users, ids)
        case "text":
            return _free(connection, users, lambda: secrets.token_hex(LENGTH)[: min(ids.most, LENGTH)])
        case "binary":
            return _free(connection, users, lambda: secrets.token_bytes(max(ids.least, min(ids.most, LENGTH))))
        case _:
            assert_never(ids.kind)


def _next_below(connection: Connection, users: Users, ids: UserIds) -> int:
    mine = meta.c.name == _DOWN_TO
    last = connection.execute(select(meta.c.value).where(mine).with_for_update()).scalar_one_or_none()
    key = ids.most if last is None else int(last) - 1
    while key >= ids.least and _is_taken(connection, users, key):
        key -= 1
    if key < ids.least:
        raise _none_left(users)
    if last is None:
        connection.execute(insert(meta).values(name=_DOWN_TO, value=str(key)))
    else:
        connection.execute(update(meta).where(mine).values(value=str(key)))
    return key


def _free(connection: Connection, users: Users, drawn: Callable[[], UserId]) -> UserId:
    for _ in range(TRIES):
        key = drawn()
        if not _is_taken(connection, users, key) and not _is_a_send_s(connection, key):
            return key
    raise _none_left(users)


def _is_taken(connection: Connection, users: Users, key: UserId) -> bool:
    table = users_table(users)
    return connection.execute(select(table.c[users.key]).where(table.c[users.key] == key)).first() is not None


def _is_a_send_s(connection: Connection, key: UserId) -> bool:
    """Whether a send has a key that is so short that it could be drawn twice."""
    return len(str(key)) < LENGTH and bool(ledger.sends_to(connection, key, 1))


def _none_left(users: Users) -> StoreError:
    return StoreError(
        f"No value of {users.table}.{users.key} is free to stand in the place of the key of somebody who is erased.",
        advice="Give the key a wider type, here and in the skene_* tables.",
    )
