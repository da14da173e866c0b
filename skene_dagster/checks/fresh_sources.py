"""Tables that must have changed lately: whether the database has them, and what their newest moment is."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import cached_property

from sqlalchemy import Connection, func, inspect, literal, select, type_coerce
from sqlalchemy.types import NullType

from skene_dagster.checks.db_errors import columns_in, has, names, needed_at
from skene_dagster.documents import Document
from skene_dagster.errors import (
    DocumentError,
    LoopInvalid,
    Place,
    SettingsError,
    SkeneError,
    StoreError,
    StoreTimeout,
)
from skene_dagster.loops.plan import LoopPlan
from skene_dagster.product import mapped_moments
from skene_dagster.product.column_kinds import source as column_of
from skene_dagster.settings import Fresh, Settings, read_settings
from skene_dagster.store.engine import CLOCKS_DIFFER
from skene_dagster.store.server.limits import limited
from skene_dagster.store.tables import Moment, metadata

READ_FOR = timedelta(minutes=1)
"""How long it may take to find the newest moment of one table."""


@dataclass(frozen=True)
class Source:
    """One of the tables that must have changed lately, and where its author wrote so."""

    fresh: Fresh
    position: int
    plan: LoopPlan | None
    """In whose file; None: in skene.yaml."""
    settings: Settings

    @cached_property
    def document(self) -> Document:
        """Return the file, as it is written."""
        return read_settings(self.settings.root) if self.plan is None else self.plan.document

    def place(self, field: str) -> Place:
        """Return the line of one of its fields."""
        return self.document.place(("fresh", self.position, field))

    def fault(self, message: str, advice: str, field: str) -> DocumentError:
        """Return an error at one of its fields."""
        kind = SettingsError if self.plan is None else LoopInvalid
        return kind(message, advice=advice, place=self.place(field))


def of_loop(plan: LoopPlan, settings: Settings) -> list[Source]:
    """List the tables that must have changed before a loop mails anybody: its own, or else those of skene.yaml."""
    if plan.fresh is None:
        return of_settings(settings)
    return [Source(fresh, position, plan, settings) for position, fresh in enumerate(plan.fresh)]


def of_settings(settings: Settings) -> list[Source]:
    """List the tables that skene.yaml names."""
    return [Source(fresh, position, None, settings) for position, fresh in enumerate(settings.fresh)]


def check(connection: Connection, sources: Iterable[Source]) -> Iterator[SkeneError]:
    """List what `faults` lists of several, and for each right that the database user lacks a StoreError at its line.

    Raises:
        StoreError: the database cannot be asked.
    """
    for source in sources:
        try:
            with needed_at(source.place("table")):
                yield from faults(connection, source)
        except StoreError as denied:
            if denied.place is None:
                raise
            yield denied


def faults(connection: Connection, source: Source) -> Iterator[DocumentError]:
    """List what does not match the database: no such table, no such column, or one without moments.

    Raises:
        StoreError: the database cannot be asked.
    """
    fresh = source.fresh
    present = columns_in(connection, fresh.table)
    if not present:
        if fresh.table in metadata.tables:
            return  # the first run creates it
        known = inspect(connection).get_table_names()
        yield source.fault(f"Table {fresh.table!r} is not in the database.", names(fresh.table, known), "table")
        return
    if not has(present, fresh.column.column):
        yield source.fault(
            f"Table {fresh.table!r} has no column {fresh.column.column!r}.",
            names(fresh.column.column, present),
            "column",
        )
        return
    try:
        mapped_moments.check(connection, fresh.table, fresh.column, "column")
    except SettingsError as bad:
        yield source.fault(bad.message, bad.advice, "column")


def newest(connection: Connection, source: Source, until: datetime) -> datetime | None:
    """Read the newest moment of a table up to a moment; None: it has none. What lies ahead of any clock is left out.

    Raises:
        DocumentError: what `faults` lists, or it takes too long.
        StoreError: the database refused.
    """
    try:
        with limited(connection, READ_FOR):
            for bad in faults(connection, source):
                raise bad
            return _newest(connection, source.fresh, until + CLOCKS_DIFFER)
    except StoreTimeout as late:
        raise source.fault(
            f"Finding the newest moment of {source.fresh.name} took longer than a minute and was stopped.",
            f"Create an index on {source.fresh.column.column}.",
            "column",
        ) from late


def _newest(connection: Connection, fresh: Fresh, until: datetime) -> datetime | None:
    rows, raw = column_of(fresh.table, fresh.column.column)
    read = mapped_moments.of(connection, fresh.table, fresh.column, raw, "column")
    # Not as a DateTime: SQLAlchemy fails on a text in SQLite that is not a moment.
    moment = type_coerce(read.moment, NullType())
    known = select(moment.label("moment")).select_from(rows).where(read.moment <= literal(until, Moment))
    if read.form == "text":
        # As texts they are in no order of time.
        return _read(connection.execute(select(func.max(known.subquery().c.moment))).scalar())
    # An index on the column is read from its end.
    last = known.where(read.before(until + CLOCKS_DIFFER)).order_by(raw.desc()).limit(1)
    return _read(connection.execute(last).scalar())


def _read(value: object) -> datetime | None:
    if isinstance(value, str):
        return datetime.fromisoformat(value)
    if isinstance(value, date) and not isinstance(value, datetime):
        return datetime.combine(value, time())
    return value if isinstance(value, datetime) else None
