"""The type of the users key, read from the database, so that `user_id` can have exactly the same type everywhere.

TiDB compares a number column with a string column as DOUBLE and matches the wrong people (seen 2026-11); and a key
under another collation is another key.
"""

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, text
from sqlalchemy.types import UserDefinedType

from skene_dagster.codes import Code
from skene_dagster.errors import Place, SettingsError, StoreError
from skene_dagster.settings import FILE, Accounts, Keyed, Users
from skene_dagster.store.engine import is_sqlite
from skene_dagster.store.names import parts
from skene_dagster.store.tables import account_members, segment_members

_USABLE = re.compile(r"(tiny|small|medium|big)?int\b|char\b|varchar\b|binary\b|varbinary\b")


@dataclass(frozen=True)
class Key:
    """A key column's type, as the database itself writes it."""

    sql: str
    """Such as `bigint(20) unsigned`, or `varchar(36) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin`."""
    is_integer: bool

    @property
    def type(self) -> "KeyType":
        """The type for a CREATE TABLE."""
        return KeyType(self.sql)

    def read(self, text: str) -> object:
        """Read a key as people write it: a number, a string, the hex digits of bytes; None if it cannot be one."""
        try:
            if self.is_integer:
                return int(text)
            return bytes.fromhex(text.replace("-", "")) if "binary" in self.sql.lower() else text
        except ValueError:
            return None

    def same_type(self, value: object) -> object:
        """Convert a value of a result to the key's type; None if it cannot be a key."""
        if not self.is_integer or isinstance(value, int):
            return value
        if isinstance(value, Decimal) and value == value.to_integral_value():
            return int(value)
        return self.read(value) if isinstance(value, str) else None


class KeyType(UserDefinedType[Any]):
    """A column type that is written as the database wrote it."""

    cache_ok = True

    def __init__(self, sql: str) -> None:
        self.sql = sql

    def get_col_spec(self, **_: object) -> str:
        return self.sql


@dataclass(frozen=True)
class _Found:
    name: str
    key: Key
    declared: str
    is_primary: bool


def as_text(key: object) -> str:
    """Write a user's key; one of bytes in hex digits."""
    return key.hex() if isinstance(key, bytes) else str(key)


def folded(key: object) -> str:
    """Write a key so that two spellings of it, which a collation may take for one, are the same."""
    return as_text(key).rstrip().casefold()


def key_of(connection: Connection, keyed: Keyed) -> Key:
    """Read the type of the mapped key of the users, or of the accounts.

    Raises:
        SettingsError: the table is missing, or the key is not its whole primary key, or has no usable type.
    """
    columns = _columns(connection, keyed.table)
    part = part_of(keyed)
    primary = [column.name for column in columns if column.is_primary]
    found = next((column for column in columns if column.name.lower() == keyed.key.lower()), None)
    if not columns:
        raise SettingsError(
            f"Table {keyed.table!r} is not in the database {_shown(connection)}.",
            advice=f"Set {part}.table in {FILE}.",
            place=Place(FILE, part=f"{part}.table"),
            code=Code.NO_TABLE,
        )
    if found is None:
        raise SettingsError(
            f"Table {keyed.table!r} has no column {keyed.key!r}.",
            advice=f"Set {part}.key in {FILE} to its primary key{': ' + ', '.join(primary) if primary else ''}.",
            place=Place(FILE, part=f"{part}.key"),
            code=Code.NO_COLUMN,
        )
    if primary != [found.name]:
        whole = f"which is ({', '.join(primary)})" if primary else "which has none"
        raise SettingsError(
            f"Column {keyed.key!r} is not the primary key of {keyed.table!r}, {whole}.",
            advice=f"Set {part}.key in {FILE} to a primary key of one column; keys of several are not supported.",
            place=Place(FILE, part=f"{part}.key"),
        )
    if not _is_usable(connection, found.declared):
        raise SettingsError(
            f"The key {keyed.table}.{keyed.key} is of type {found.declared}.",
            advice=f"A {part} key is an integer, a string (char, varchar) or binary (binary, varbinary).",
            place=Place(FILE, part=f"{part}.key"),
        )
    return found.key


def users_key(connection: Connection, users: Users) -> Key:
    """Read the type of the mapped users key; see `key_of`."""
    return key_of(connection, users)


def common_key(connection: Connection, keyed: Keyed) -> Key:
    """Read the type that the users key and every `user_id` share; of accounts, their key and every `account_id`.

    Raises:
        StoreError: they differ, so that no statement may compare them.
        SettingsError: the table or its key is not what skene.yaml says.
    """
    mapped, stored = key_of(connection, keyed), stored_key(connection, keyed)
    if mapped != stored:
        part = part_of(keyed)
        column = "account_id" if isinstance(keyed, Accounts) else "user_id"
        raise StoreError(
            f"The {part} key {keyed.table}.{keyed.key} is {mapped.sql}, but the skene_* tables have {stored.sql}.",
            advice=f"Set {part}.table and {part}.key in skene.yaml as they were, or change the columns {column} of the "
            f"skene_* tables to the type and collation of the {part} key.",
        )
    return stored


def part_of(keyed: Keyed) -> str:
    """Name the part of skene.yaml that maps a table: what its rows are called, in the plural."""
    return "accounts" if isinstance(keyed, Accounts) else "users"


def stored_key(connection: Connection, keyed: Keyed) -> Key:
    """Read the type that `user_id`, or `account_id`, has in the skene_* tables.

    Raises:
        StoreError: they are missing.
    """
    table, name = (account_members, "account_id") if isinstance(keyed, Accounts) else (segment_members, "user_id")
    stored = type_of(connection, table.name, name)
    if stored is None:
        raise StoreError(f"The database has no table {table.name}.", advice="Run: skene-dagster migrate")
    return stored


def type_of(connection: Connection, table: str, name: str) -> Key | None:
    """Read the type of a column that holds keys; None where the table has none of the name, or is missing."""
    return next((column.key for column in _columns(connection, table) if column.name == name), None)


def same_as_users_key(connection: Connection, users: Keyed, table: str, column: str) -> None:
    """Make sure that one of the product's columns has exactly the type of the users key, or of the accounts key.

    Raises:
        SettingsError: the table or the column is missing, or has another type.
    """
    columns = _columns(connection, table)
    if not columns:
        raise SettingsError(f"Table {table!r} is not in the database {_shown(connection)}.", code=Code.NO_TABLE)
    found = next((known for known in columns if known.name.lower() == column.lower()), None)
    if found is None:
        names = ", ".join(known.name for known in columns)
        raise SettingsError(f"Table {table!r} has no column {column!r}.", advice=f"There is: {names}.")
    key, part = key_of(connection, users), part_of(users)
    same = _affinity(found.declared) == _affinity(key.sql) if is_sqlite(connection) else found.key == key
    if not same:
        raise SettingsError(
            f"{table}.{column} is {found.key.sql}, but the {part} key {users.table}.{users.key} is {key.sql}: the "
            f"database would mistake some {part} for others.",
            advice=f"Give {table}.{column} the type and collation of the {part} key, or create a view that does.",
        )


def _affinity(declared: str) -> str:
    """Return SQLite's affinity for a declared type; columns of the same affinity compare as they are."""
    declared = declared.upper()
    for affinity, words in {"INTEGER": ("INT",), "TEXT": ("CHAR", "CLOB", "TEXT"), "BLOB": ("BLOB",)}.items():
        if any(word in declared for word in words):
            return affinity
    return "NUMERIC" if declared else "BLOB"


def _is_usable(connection: Connection, declared: str) -> bool:
    if is_sqlite(connection):
        return not re.search("REAL|FLOA|DOUB", declared.upper())
    return _USABLE.match(declared.lower()) is not None


def _columns(connection: Connection, table: str) -> list[_Found]:
    return _sqlite_columns(connection, table) if is_sqlite(connection) else _server_columns(connection, table)


def _server_columns(connection: Connection, table: str) -> list[_Found]:
    """Describe a table's columns by information_schema, which gives types and collations as they were declared."""
    schema, name = parts(table)
    rows = connection.execute(
        text(
            "SELECT column_name AS name, column_type AS declared, character_set_name AS charset, "
            "collation_name AS collation, column_key AS part_of FROM information_schema.columns "
            "WHERE table_schema = COALESCE(:schema, DATABASE()) AND table_name = :name ORDER BY ordinal_position"
        ),
        {"schema": schema, "name": name},
    )
    found = []
    for row in rows:
        # TiDB, 2026-11: binary columns have the character set `binary`; it is in their type already.
        text_like = row.charset is not None and "char" in row.declared.lower()
        collation = f" CHARACTER SET {row.charset} COLLATE {row.collation}" if text_like else ""
        key = Key(row.declared + collation, is_integer="int" in row.declared.lower())
        found.append(_Found(row.name, key, row.declared, is_primary=row.part_of == "PRI"))
    return found


def _sqlite_columns(connection: Connection, table: str) -> list[_Found]:
    """Describe a table's columns; the collation of the primary key stands in its index only."""
    schema, name = parts(table)
    where = {"table": name, "schema": schema}
    collations: dict[str, str] = {
        row.name: row.coll
        for row in connection.execute(
            text(
                "SELECT x.name, x.coll FROM pragma_index_list(:table, :schema) AS i "
                "JOIN pragma_index_xinfo(i.name, :schema) AS x WHERE i.origin = 'pk' AND x.key = 1"
            ),
            where,
        )
    }
    found = []
    for row in connection.execute(text("SELECT name, type, pk FROM pragma_table_info(:table, :schema)"), where):
        collation = collations.get(row.name, "BINARY")
        sql = row.type if collation == "BINARY" else f"{row.type} COLLATE {collation}"
        found.append(_Found(row.name, Key(sql, is_integer="INT" in row.type.upper()), row.type, row.pk > 0))
    return found


def _shown(connection: Connection) -> str:
    return str(connection.engine.url.database)
