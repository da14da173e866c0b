"""Whom a question is about: users, by their key or their address; or an address that no user has any more."""

from contextlib import suppress
from dataclasses import dataclass

from sqlalchemy import Connection

from skene_dagster.consent.people import named, named_user
from skene_dagster.consent.recipient import Recipients
from skene_dagster.settings import Settings
from skene_dagster.settings.addresses import bare_address
from skene_dagster.store.engine import is_sqlite
from skene_dagster.store.keys import users_key

_LONGEST_KEY = 255


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
    if key is not None and _can_be(connection, key):
        one = named_user(connection, users, key)
        keys += [] if one is None else [one.user_id]
        former = key if one is None else None
    address: str | None = None
    with suppress(ValueError):
        address = bare_address(word)
    if address is None:
        return Found(tuple(keys), None, None, former)
    keys += [one.user_id for one in named(connection, users, [address]) if one.address is None]
    return Found(tuple(dict.fromkeys(keys)), address, Recipients.of(connection).address(address), former)


def _can_be(connection: Connection, key: object) -> bool:
    """Whether a statement can hold it; no column is larger."""
    if isinstance(key, int):
        return -(2**63) <= key < (2**63 if is_sqlite(connection) else 2**64)
    if isinstance(key, str) and not key.isprintable() and any("\ud800" <= one <= "\udfff" for one in key):
        return False
    assert isinstance(key, str | bytes)
    return len(key) <= _LONGEST_KEY
