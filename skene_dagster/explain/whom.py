"""Whom a question is about: users, by their key or their address; or an address that no user has any more."""

import re
from contextlib import suppress
from dataclasses import dataclass

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from skene_dagster.consent.people import Named, named, named_user
from skene_dagster.consent.recipient import Recipients
from skene_dagster.settings import Settings, Users
from skene_dagster.settings.addresses import bare_address
from skene_dagster.store.engine import is_sqlite
from skene_dagster.store.failures import code_of
from skene_dagster.store.keys import users_key

MIXED_COLLATIONS = 1267
_LONGEST_KEY = 255
_NUMBER = re.compile(r"\s*[+-]?[0-9]+\s*")


@dataclass(frozen=True)
class Found:
    """Whom a word names."""

    keys: tuple[object, ...]
    """Of users, as the users table has them."""
    address: str | None
    """The word, if it can be an address."""
    recipient: str | None
    """What consent knows that address by."""
    former_key: object = None
    """The word as a users key, if no user has it; whoever had it may have left something."""


def find(connection: Connection, settings: Settings, word: str) -> Found:
    """Find the user with this key, and the users with this address; a key may look like an address.

    Raises:
        SettingsError: the users table is not what skene.yaml says.
        StoreError: the salt is gone.
    """
    users = settings.users
    keys: list[object] = []
    key = users_key(connection, users).read(word)
    former: object = None
    if key is not None and _can_be(connection, key, word):
        one, former = _user(connection, users, key)
        keys += [] if one is None else [one.user_id]
    address: str | None = None
    with suppress(ValueError):
        address = bare_address(word)
    if address is None:
        return Found(tuple(keys), None, None, former)
    keys += [one.user_id for one in named(connection, users, [address]) if one.address is None]
    return Found(tuple(dict.fromkeys(keys)), address, Recipients.of(connection).address(address), former)


def _user(connection: Connection, users: Users, key: object) -> tuple[Named | None, object]:
    """Find a user; return the key alone if no user has it, and neither where nobody can."""
    try:
        one = named_user(connection, users, key)
    except DBAPIError as error:
        # MariaDB, 2026-11: it compares no text with a column whose character set lacks one of its letters.
        if code_of(error) == MIXED_COLLATIONS:
            return None, None
        raise
    return one, key if one is None else None


def _can_be(connection: Connection, key: object, word: str) -> bool:
    """Whether a statement can hold it, and the word is written as a key is: Python takes `1_000` for a number."""
    if isinstance(key, int):
        return _NUMBER.fullmatch(word) is not None and -(2**63) <= key < (2**63 if is_sqlite(connection) else 2**64)
    if isinstance(key, str) and not key.isprintable() and any("\ud800" <= one <= "\udfff" for one in key):
        return False
    assert isinstance(key, str | bytes)
    return len(key) <= _LONGEST_KEY
