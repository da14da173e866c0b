"""How far a column's newest moments are from now, without reading a big table from end to end."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, FromClause, func, inspect, literal, select
from sqlalchemy.types import NullType

from skene_dagster.product import shapes
from skene_dagster.product.moments import ProductMoment
from skene_dagster.store.engine import CLOCKS_DIFFER, is_sqlite
from skene_dagster.store.names import named, parts
from skene_dagster.store.tables import Moment

FURTHEST_ZONE = timedelta(hours=14)
"""UTC+14: local time is no further ahead of UTC, anywhere."""

READ_WHOLE = 100_000
"""Rows. A table with more, and without a suitable index, is not read from end to end."""

SAMPLE = 10_000
"""Rows that are read of such a table: the last ones by its primary key."""

COUNTED = 1_000
"""Rows up to which it is counted how many are in the future."""

STEADY = 10
"""How many different moments, close together, show a product in use rather than a mistake or a calendar."""

_EARLIEST = datetime(1971, 1, 1)
_LATEST = datetime(9999, 1, 1)
"""Later moments mean `never`."""


@dataclass(frozen=True)
class Rows:
    """Some rows of a column."""

    number: int
    """How many; COUNTED + 1 means more than COUNTED."""
    newest: datetime | None
    steady: datetime | None
    """The STEADYth newest of their different moments."""


@dataclass(frozen=True)
class Newest:
    """A column's newest moments."""

    among: int | None
    """How many rows were read; None: all of them."""
    ahead: Rows
    """Ahead of now by more than CLOCKS_DIFFER, but by no more than local time can be."""
    far: Rows
    """Further ahead."""
    past: datetime | None
    """The newest that is not ahead."""


def newest(connection: Connection, name: str, of: str, now: datetime) -> Newest | None:
    """Read the newest moments of a table's column; None if that would cost too much, for instance for a view.

    Raises:
        DBAPIError: the database refuses.
    """
    keys = _order_of_the_sample(connection, name, of)
    if keys is None:
        return None
    source, raw = _source(name, of, keys)
    # A server does not use an index on the column if the comparison is on an expression of it.
    moment = ProductMoment(raw, "text", is_sqlite=True).moment if is_sqlite(connection) else raw
    soon, beyond = now + CLOCKS_DIFFER, now + FURTHEST_ZONE + CLOCKS_DIFFER

    def between(after: datetime, until: datetime) -> Rows:
        some = (
            select(moment.label("moment"))
            .select_from(source)
            .where(moment > literal(after, Moment), moment <= literal(until, Moment))
            .order_by(moment.desc())
            .limit(COUNTED + 1)
            .subquery()
        )
        number, last = connection.execute(select(func.count(), _latest(some.c.moment)).select_from(some)).one()
        different = select(some.c.moment).distinct().order_by(some.c.moment.desc()).limit(1).offset(STEADY - 1)
        steady = connection.execute(different).scalar() if number >= STEADY else None
        return Rows(number, _read(last), _read(steady))

    past = (
        select(_latest(moment))
        .select_from(source)
        .where(moment > literal(_EARLIEST, Moment), moment <= literal(soon, Moment))
    )
    return Newest(
        among=SAMPLE if keys else None,
        ahead=between(soon, beyond),
        far=between(beyond, _LATEST),
        past=_read(connection.execute(past).scalar_one()),
    )


def _order_of_the_sample(connection: Connection, name: str, of: str) -> Sequence[str] | None:
    """Return the key whose last rows are read; empty if all rows may be read; None if none may."""
    if not is_sqlite(connection):
        if shapes.known_rows(connection, name) is None:
            return None  # a view may be anything
        if shapes.has_index(connection, name, (), (of,)):
            return ()
    if not shapes.has_more_rows(connection, name, READ_WHOLE):
        return ()
    schema, bare = parts(name)
    return inspect(connection).get_pk_constraint(bare, schema=schema)["constrained_columns"] or None


def _source(name: str, of: str, keys: Sequence[str]) -> tuple[FromClause, ColumnElement[Any]]:
    rows = named(name, of, *keys)
    if not keys:
        return rows, rows.c[of]
    last = select(rows.c[of]).order_by(*(rows.c[key].desc() for key in keys)).limit(SAMPLE).subquery()
    return last, last.c[of]


def _latest(moment: ColumnElement[Any]) -> ColumnElement[Any]:
    # Not as a DateTime: SQLAlchemy fails on a text in SQLite that is not a moment.
    return func.max(moment, type_=NullType())


def _read(value: object) -> datetime | None:
    if isinstance(value, str):
        try:
            return datetime.fromisoformat(value)
        except ValueError:
            return None
    return value if isinstance(value, datetime) else None
