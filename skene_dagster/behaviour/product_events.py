"""The product's events where they are, as statements see them."""

from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    Integer,
    Subquery,
    case,
    func,
    inspect,
    literal,
    select,
    text,
)

from skene_dagster.errors import Place, QueryRejected, SettingsError
from skene_dagster.loops.planning.usage import FeaturePlan, UsagePlan
from skene_dagster.product import mapped_moments, sql_moments
from skene_dagster.product.moments import ProductMoment
from skene_dagster.product.named_users import Naming, naming
from skene_dagster.settings import FILE, Events
from skene_dagster.store.engine import is_sqlite
from skene_dagster.store.moments import day_of, name_of
from skene_dagster.store.names import named, parts

LONGEST_NAME = 128


@dataclass(frozen=True)
class Source:
    """The product's events, as statements see them."""

    events: Events
    rows: Subquery
    """One row per event of a user: user_id, raw_at (as it is written), at, day, event, raw_arrived, arrived, and
    `is_<feature>`."""
    at: ProductMoment
    arrived: ProductMoment | None
    sql_features: tuple[FeaturePlan, ...]
    naming: Naming
    by_user: bool
    """The events of a user are found by an index."""
    as_written: "Source | None"
    """The same events, `user_id` being what names their users; None: that is the key."""


def source(connection: Connection, plan: UsagePlan) -> Source:
    """Describe the product's events.

    Raises:
        SettingsError: a feature's SQL needs TiDB, and this is the embedded database; or the events name users in no
            way that can be compared exactly.
    """
    events = plan.events
    moments = [events.at, *([events.arrived] if events.arrived else [])]
    rows = named(events.table, events.user.column, events.name, *(one.column for one in moments))
    how = naming(connection, plan.users, events.table, events.user.column, events.user.is_)
    value = rows.c[events.user.column]
    of, user = how.named(rows, value)
    at = mapped_moments.of(connection, events.table, events.at, rows.c[events.at.column], "events.at")
    columns: list[ColumnElement[Any]] = [
        at.raw.label("raw_at"),
        at.moment.label("at"),
        day_of(at.moment).label("day"),
        _name(rows.c[events.name], plan).label("event"),
    ]
    arrived = None
    if events.arrived:
        raw = rows.c[events.arrived.column]
        arrived = mapped_moments.of(connection, events.table, events.arrived, raw, "events.arrived")
        columns += [raw.label("raw_arrived"), arrived.moment.label("arrived")]
    columns += [_is_use(connection, feature, events.table).label(f"is_{feature.name}") for feature in plan.sql_features]
    by_index = _has_index(connection, events)

    def described(of: FromClause, user: ColumnElement[Any], as_written: Source | None) -> Source:
        mine = select(user.label("user_id"), *columns).select_from(of).where(user.is_not(None)).subquery("e")
        own_at = replace(at, raw=mine.c.raw_at)
        own_arrived = None if arrived is None else replace(arrived, raw=mine.c.raw_arrived)
        return Source(events, mine, own_at, own_arrived, plan.sql_features, how, by_index, as_written)

    return described(of, user, None if how.is_key else described(rows, value, None))


def own_names(plan: UsagePlan) -> list[str]:
    """List the names under which uses of features are counted, in addition to events."""
    return [name for feature in plan.sql_features for name in feature.counted_as]


def _name(name: ColumnElement[Any], plan: UsagePlan) -> ColumnElement[Any]:
    known = func.coalesce(name_of(name, LONGEST_NAME), "")
    ours = own_names(plan)
    # An event with such a name counts as activity, without a name.
    return case((known.in_(ours), ""), else_=known) if ours else known


def _has_index(connection: Connection, events: Events) -> bool:
    """Whether an index begins with the users column. A server decides by itself whether to use one."""
    if not is_sqlite(connection):
        return True
    schema, name = parts(events.table)
    about = inspect(connection)
    keys = [index["column_names"] for index in about.get_indexes(name, schema=schema)]
    keys.append(list(about.get_pk_constraint(name, schema=schema)["constrained_columns"]))
    return any(key and (key[0] or "").lower() == events.user.column.lower() for key in keys)


def _is_use(connection: Connection, feature: FeaturePlan, table_: str) -> ColumnElement[int]:
    assert feature.sql is not None
    place = Place(FILE, part=f"features.{feature.name}.sql")
    try:
        sql_moments.refuse_numbers(connection, feature.sql, place=place, row=table_)
    except QueryRejected as bad:
        raise SettingsError(bad.message, advice=bad.advice, place=bad.place) from None
    sql = sql_moments.readable_text(connection, feature.sql, table_)
    if sql is None:
        raise SettingsError(
            f"The SQL of feature {feature.name!r} cannot run on SQLite: {feature.sql.needs_tidb}.",
            advice=f"Set SKENE_DATABASE_URL to a TiDB database, or write it differently in {FILE}.",
        )
    return case((text(f"({sql})"), 1), else_=literal(0, Integer))
