"""Rows of the product that name users (or accounts): by their key, in its type or another one, or by another column."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, FromClause

from skene_dagster.errors import SettingsError
from skene_dagster.product.shapes import unique_keys
from skene_dagster.settings import Keyed
from skene_dagster.store.engine import is_sqlite, users_table
from skene_dagster.store.keys import Key, key_in, key_of, part_of
from skene_dagster.store.same_keys import are_alike, same


@dataclass(frozen=True)
class Naming:
    """How a column of a table names users: what it holds, and what that is compared with."""

    keyed: Keyed
    column: str
    """The column of the users table with the same value."""
    found: Key
    wanted: Key
    sqlite: bool

    @property
    def is_key(self) -> bool:
        """The value is the key itself, as it is."""
        exactly = are_alike(self.found, self.wanted, sqlite=True) if self.sqlite else self.found == self.wanted
        return exactly and self.column == self.keyed.key

    def named(self, rows: FromClause, value: ColumnElement[Any]) -> tuple[FromClause, ColumnElement[Any]]:
        """Return rows, of which `value` is a column, together with the key of the user whom each names.

        If they name users by anything but the key itself, rows that name nobody are left out.
        """
        if self.is_key:
            return rows, value
        people = users_table(self.keyed, self.column).alias("named")
        on = same(value, self.found, people.c[self.column], self.wanted, sqlite=self.sqlite)
        assert on is not None, "such a column is refused"
        return rows.join(people, on), people.c[self.keyed.key]

    def among(
        self, few: FromClause, key: ColumnElement[Any], value: ColumnElement[Any]
    ) -> tuple[FromClause, ColumnElement[bool]]:
        """Return rows that have a key of a user, and the condition under which `value` names that user."""
        if self.is_key:
            return few, value == key
        people = users_table(self.keyed, self.column).alias("named")
        on = same(value, self.found, people.c[self.column], self.wanted, sqlite=self.sqlite)
        assert on is not None, "such a column is refused"
        return few.join(people, people.c[self.keyed.key] == key), on


def naming(connection: Connection, keyed: Keyed, table: str, column: str, is_: str | None = None) -> Naming:
    """Find out how a column names users, or accounts.

    Args:
        is_: the column of the users table that has the same values; None: the key.

    Raises:
        SettingsError: a table or a column is missing, no exact comparison is possible, or `is_` is not unique.
    """
    sqlite, part, other = is_sqlite(connection), part_of(keyed), is_ or keyed.key
    found, key = key_in(connection, table, column), key_of(connection, keyed)
    wanted = key if is_ is None else key_in(connection, keyed.table, is_)
    if is_ is not None and frozenset((is_.lower(),)) not in unique_keys(connection, keyed.table):
        raise SettingsError(
            f"{keyed.table}.{is_} is not unique by any index: a row of {table} might name several {part}.",
            advice="Name a column that has a unique index of its own.",
        )
    known = Naming(keyed, other, found, wanted, sqlite)
    people = users_table(keyed, other)
    if same(people.c[keyed.key], found, people.c[other], wanted, sqlite=sqlite) is None:
        what = f"the {part} key {keyed.table}.{other}" if is_ is None else f"{keyed.table}.{other}"
        raise SettingsError(
            f"{table}.{column} is {found.sql}, but {what} is {wanted.sql}: the database would mistake some {part} for "
            "others.",
            advice="Name a column with integers or text (char, varchar, text), or one of the very same type.",
        )
    return known
