"""A chunk of a rollup: a range of users keys; of all users who ever did something, or of those who are touched.

Whoever touches few users must not read them all. The databases are told how to join: none of them knows how few there
are in a table that was just made.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    Select,
    Subquery,
    Table,
    and_,
    delete,
    select,
    tuple_,
)
from sqlalchemy.sql.selectable import HasPrefixes, NamedFromClause

from skene_dagster.product.joins import FromFew, WithFew
from skene_dagster.store.engine import is_sqlite
from skene_dagster.store.key_ranges import Span

Hinted = TypeVar("Hinted", bound=HasPrefixes)


@dataclass(frozen=True)
class Chunk:
    """Some users, a transaction's worth."""

    span: Span
    people: Table | None
    """Who of the range, by user_id; None: everybody."""

    def read(
        self, table: NamedFromClause, *columns: ColumnElement[Any], defined: Subquery | None = None
    ) -> Select[Any]:
        """Select from the rows of these users in a table with a column user_id.

        Args:
            defined: a few rows; joined to each row of the table those that have its `event`.
        """
        rows, user = self._rows(table)
        if defined is not None:
            rows = WithFew(rows, defined, defined.c.event == table.c.event)
        return self.by_index(select(*columns).select_from(rows).where(self.span.of(user)), table)

    def by_index(self, statement: Hinted, *tables: NamedFromClause) -> Hinted:
        """Have the rows of these users in some tables found by an index, one table after the other."""
        if self.people is None:
            return statement
        names = ", ".join(table.name for table in tables)
        # TiDB 8.5, 2026-11: beside a third table the first hint alone would have all of the second one read.
        hint = f"/*+ INL_JOIN({names}) LEADING({self.people.name}, {names}) */"
        return statement.prefix_with(hint, dialect="mysql")

    def keys(self, table: Table) -> Select[Any]:
        """Select the keys of these users, once for each of their rows in a table."""
        rows, user = self._rows(table)
        return select(user).select_from(rows).where(self.span.of(user))

    def _rows(self, table: NamedFromClause) -> tuple[FromClause, ColumnElement[Any]]:
        if self.people is None:
            return table, table.c.user_id
        user = self.people.c.user_id
        return FromFew(self.people, table, table.c.user_id == user), user

    def among(self, connection: Connection, table: Table) -> ColumnElement[bool]:
        """Say that a row of a table that is updated is of one of these users."""
        if self.people is None:
            return self.span.of(table.c.user_id)
        if is_sqlite(connection):
            wanted = select(self.people.c.user_id).where(self.span.of(self.people.c.user_id))
            return table.c.user_id.in_(wanted)
        return and_(table.c.user_id == self.people.c.user_id, self.span.of(self.people.c.user_id))

    def forget(self, connection: Connection, table: Table, *where: ColumnElement[bool]) -> None:
        """Delete the rows of these users, or those of them of which something is true."""
        if self.people is None:
            connection.execute(delete(table).where(self.span.of(table.c.user_id), *where))
        else:
            delete_matching(connection, table, self.people, self.span, ["user_id"], *where)


def delete_matching(
    connection: Connection, table: Table, staged: Table, span: Span, keys: Iterable[str], *where: ColumnElement[bool]
) -> None:
    """Delete the rows whose keys are staged, for users of a range."""
    keys = list(keys)
    if is_sqlite(connection):
        wanted = select(*(staged.c[key] for key in keys)).where(span.of(staged.c.user_id))
        connection.execute(delete(table).where(tuple_(*(table.c[key] for key in keys)).in_(wanted), *where))
        return
    # MariaDB 10.11, 2026-11: with IN in place of the join it looks at every row of the table.
    matches = [table.c[key] == staged.c[key] for key in keys]
    hint = f"/*+ INL_JOIN({table.name}) */"
    connection.execute(
        delete(table).prefix_with(hint, dialect="mysql").where(*matches, span.of(staged.c.user_id), *where)
    )
