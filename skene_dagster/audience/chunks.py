"""A chunk of a rollup: a range of users keys; of all users who ever did something, or of those who are touched.

Whoever touches few users must not read them all. The databases are told how to join: none of them knows how few there
are in a table that was just made.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    Table,
    and_,
    delete,
    func,
    select,
    tuple_,
    union_all,
)

from skene_dagster.audience.difference import Span
from skene_dagster.store.engine import is_sqlite


@dataclass(frozen=True)
class Chunk:
    """Some users, a transaction's worth."""

    span: Span
    people: Table | None
    """Who of the range, by user_id; None: everybody."""

    def read(self, table: Table, *columns: ColumnElement[Any]) -> Select[Any]:
        """Select from the rows of these users in a table with a column user_id."""
        if self.people is None:
            return select(*columns).select_from(table).where(self.span.of(table.c.user_id))
        return (
            select(*columns)
            .prefix_with(f"/*+ INL_JOIN({table.name}) */", dialect="mysql")
            .select_from(self.people.join(table, table.c.user_id == self.people.c.user_id))
            .where(self.span.of(self.people.c.user_id))
        )

    def among(self, table: Table) -> ColumnElement[bool]:
        """Say that a row of a table that is updated is of one of these users."""
        if self.people is None:
            return self.span.of(table.c.user_id)
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


def end(connection: Connection, keys: Iterable[ColumnElement[Any]], low: object, size: int) -> object | None:
    """Find the key that ends a chunk of about `size` rows in each of some tables; None: all the rest is one."""
    pages = union_all(*(_nth(key, low, size) for key in keys)).subquery()
    # The smallest is found by the database: only it knows the order of its keys.
    return connection.execute(select(func.min(pages.c.high)).where(pages.c.n == size)).scalar()


def _nth(key: ColumnElement[Any], low: object, size: int) -> Any:
    page = select(key.label("k")).where(key.is_not(None), Span(low).of(key)).order_by(key).limit(size).subquery()
    return select(func.max(page.c.k).label("high"), func.count().label("n")).select_from(page)
