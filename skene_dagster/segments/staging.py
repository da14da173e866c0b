"""The staging table of one refresh: the condition's answer, evaluated once, before anything is checked or written.

Its name includes the refresh's fencing token, so that a process that lost its lease never touches a newer one's table.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pymysql.constants import FIELD_TYPE
from sqlalchemy import (
    CheckConstraint,
    Column,
    ColumnElement,
    Connection,
    Subquery,
    Table,
    TableClause,
    Text,
    and_,
    delete,
    exists,
    func,
    insert,
    not_,
    null,
    or_,
    select,
)

from skene_dagster.product import attributes
from skene_dagster.store import staging_tables
from skene_dagster.store.engine import is_sqlite
from skene_dagster.store.key_ranges import Span
from skene_dagster.store.keys import Key
from skene_dagster.store.leasing.leases import Lease

_FLOATS = frozenset({FIELD_TYPE.FLOAT, FIELD_TYPE.DOUBLE})
"""Above 2^53 they are not the number that was meant."""

_INTEGERS_ONLY = "a key is an integer"


@dataclass(frozen=True)
class Answer:
    """The form of the condition's result."""

    may_be_null: bool
    """The database cannot rule out that a key is NULL."""
    is_float: bool
    """The key comes as a floating-point number."""


def describe(connection: Connection, answer: Subquery) -> Answer:
    """Ask the database for the type of the condition's key, without evaluating the condition."""
    result = connection.execute(select(answer).limit(0))
    _, kind, *_, may_be_null = result.cursor.description[0]
    if is_sqlite(connection):
        return Answer(may_be_null=True, is_float=False)
    return Answer(bool(may_be_null), kind in _FLOATS)


def create(connection: Connection, lease: Lease, key: Key, *, may_be_null: bool, with_attributes: bool) -> Table:
    """Create the staging table of this refresh, after dropping those that dead ones of the segment left behind."""
    return staging_tables.fresh(
        connection,
        lease,
        lease.name,
        user_id(key, may_be_null=may_be_null),
        *([Column("attributes", Text)] if with_attributes else []),
        # SQLite stores a text in an INTEGER column; a server refuses it.
        *(
            [CheckConstraint("typeof(user_id) IN ('integer', 'null')", name=_INTEGERS_ONLY)]
            if key.is_integer and is_sqlite(connection)
            else []
        ),
    )


def user_id(key: Key, *, may_be_null: bool) -> Column[Any]:
    """Make the column that says which user a row is about, each of them once."""
    # A clustered key is twice as fast to fill as a unique one beside the rows (measured 2026-11, TiDB and MariaDB).
    return Column("user_id", key.type, primary_key=not may_be_null, unique=may_be_null or None, nullable=may_be_null)


def selected(connection: Connection, answer: Subquery, columns: Sequence[str]) -> Subquery:
    """Select from the condition's answer what is kept: user_id, and the columns that the email names as attributes."""
    kept = [answer.c[0].label("user_id")]
    if columns:
        kept.append(attributes.kept(connection, answer, columns).label("attributes"))
    return select(*kept).subquery("answer")


def fill(connection: Connection, staging: Table, answer: Subquery, columns: Sequence[str], span: Span) -> int:
    """Evaluate the condition into the staging table for users of a range; return how many. A duplicate is refused."""
    rows = selected(connection, answer, columns)
    found = select(rows).where(span.of(rows.c.user_id))
    return connection.execute(insert(staging).from_select(list(staging.c), found)).rowcount


def leave_out_unknown(
    connection: Connection, staging: Table, users: TableClause, users_key: str, span: Span, *, only_users: bool
) -> int:
    """Delete the rows whose key is NULL, and those of a range whose key belongs to no user; return their number."""
    key = staging.c.user_id
    unknown: list[ColumnElement[bool]] = [] if staging.primary_key else [key.is_(None)]
    if not only_users:
        unknown.append(and_(span.of(key), not_(exists().where(users.c[users_key] == key))))
    if not unknown:
        return 0
    return connection.execute(delete(staging).where(or_(*unknown))).rowcount


def count_without_user(connection: Connection, answer: Subquery) -> int:
    """Count the rows of the condition whose key is NULL."""
    return connection.execute(select(func.count()).select_from(answer).where(answer.c[0].is_(None))).scalar_one()


def twice(connection: Connection, answer: Subquery) -> object | None:
    """Find a key that the condition returns more than once."""
    key = answer.c[0]
    return connection.execute(
        select(key).where(key.is_not(null())).group_by(key).having(func.count() > 1).limit(1)
    ).scalar()
