"""What counts for a goal: who did what, and when, as part of our statements.

A day of what users do has its first and its last moment; a row of the product's has one, which is both.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from pymysql.constants import FIELD_TYPE
from sqlalchemy import (
    ColumnElement,
    Connection,
    Float,
    FromClause,
    Select,
    Subquery,
    and_,
    case,
    column,
    func,
    literal,
    select,
    text,
)
from typing_extensions import assert_never

from skene_dagster.behaviour import activity, adoption, engagement
from skene_dagster.behaviour.rollup.chunks import Chunk
from skene_dagster.behaviour.rollup.counted import counted_for
from skene_dagster.errors import QueryRejected
from skene_dagster.loops.all_loops import Compared
from skene_dagster.loops.plan import GoalPlan
from skene_dagster.loops.planning.goals import AT, VALUE
from skene_dagster.loops.planning.usage import plan_usage
from skene_dagster.product import sql_moments
from skene_dagster.product.moments import ProductMoment
from skene_dagster.settings import Settings, Users
from skene_dagster.store.engine import is_sqlite
from skene_dagster.store.key_ranges import Span
from skene_dagster.store.keys import users_key
from skene_dagster.store.moments import day_of
from skene_dagster.store.tables import user_days

Who = Select[Any] | Sequence[object]
"""The keys of the users who are asked about."""

_MOMENTS = frozenset({FIELD_TYPE.DATETIME, FIELD_TYPE.TIMESTAMP, FIELD_TYPE.DATE, FIELD_TYPE.NEWDATE, FIELD_TYPE.NULL})
_INTEGERS = frozenset({FIELD_TYPE.TINY, FIELD_TYPE.SHORT, FIELD_TYPE.INT24, FIELD_TYPE.LONG, FIELD_TYPE.LONGLONG})
_NUMBERS = _INTEGERS | {
    FIELD_TYPE.DECIMAL,
    FIELD_TYPE.NEWDECIMAL,
    FIELD_TYPE.FLOAT,
    FIELD_TYPE.DOUBLE,
    FIELD_TYPE.NULL,
}


@dataclass(frozen=True)
class Happened:
    """What counts for a goal, for statements to read."""

    rows: FromClause
    user_id: ColumnElement[Any]
    first_at: ColumnElement[Any]
    last_at: ColumnElement[Any]
    value: ColumnElement[Any] | None
    """What it is worth; None: it is worth nothing."""
    known_until: datetime
    """Nothing later is known; exclusive."""
    day: ColumnElement[Any] | None = None
    """The day of a row, by which an index finds it."""

    def inside(self, since: ColumnElement[Any], until: ColumnElement[Any]) -> ColumnElement[bool]:
        """Say that a row counts for a span of time: later than `since`, at most `until`.

        Of days it is exact if the span is a day at least, or ends when what is known does.
        """
        found = [self.last_at > since, self.first_at <= until]
        # It is implied, and found by an index.
        return and_(*found) if self.day is None else and_(*found, self.day >= day_of(since))

    def at(self, since: ColumnElement[Any]) -> ColumnElement[Any]:
        """Say when it happened, of a row that counts: on the first day, at some moment after `since`."""
        if self.day is None:
            return self.first_at
        return case((self.first_at > since, self.first_at), else_=self.last_at)


def happened(
    connection: Connection, plan: Compared, goal: GoalPlan, settings: Settings, who: Who, *, as_of: datetime
) -> Happened:
    """Make what counts for a goal part of a statement; see `refuse_unfit`, which comes before.

    Args:
        as_of: what happens later does not count.

    Raises:
        NotCounted: the goal depends on what users do, which is not counted.
        QueryRejected: the goal's query needs TiDB, and this is the embedded database.
    """
    match goal.kind:
        case "returns" | "event":
            until = _counted(connection, goal, settings, as_of)
            usage = plan_usage(settings)
            rows = select(user_days).where(*activity.real(usage))
            if goal.kind == "event":
                rows = rows.where(user_days.c.event == goal.value)
            of = rows.subquery("happened")
            return Happened(of, of.c.user_id, of.c.first_at, of.c.last_at, None, until, of.c.day)
        case "feature":
            until = _counted(connection, goal, settings, as_of)
            (feature,) = [one for one in plan_usage(settings).features if one.name == goal.value]
            days = select(user_days).where(user_days.c.user_id.in_(who)).subquery("their_days")
            at = adoption.adoptions(feature, Chunk(Span(), None), days).subquery("happened")
            return _moments(at, at.c.user_id, at.c["at"], None, until)
        case "level":
            until = _counted(connection, goal, settings, as_of)
            entered = engagement.entries(goal.value).subquery("happened")
            return _moments(entered, entered.c.user_id, entered.c.entered_at, None, until)
        case "query":
            rows_of_it = answer(connection, plan, goal)
            key, when, *value = rows_of_it.c
            moment = ProductMoment(when, "text", is_sqlite=True).moment if is_sqlite(connection) else when
            worth = func.coalesce(value[0], literal(0), type_=Float()) if value else None
            return _moments(rows_of_it, key, moment, worth, as_of)
        case _:
            assert_never(goal.kind)


def refuse_unfit(connection: Connection, plan: Compared, goal: GoalPlan, settings: Settings, who: Who) -> None:
    """Refuse a goal's query whose columns would be compared as something else than they are.

    On SQLite, where a column may hold anything, that reads all that it returns about those who are asked about.

    Raises:
        QueryRejected: what it returns is not what a goal needs; or it needs TiDB.
    """
    if goal.query is None:
        return
    path = path_of(plan, goal)
    place, lines = plan.document.text_place(path), plan.document.text_lines(path)
    sql_moments.refuse_numbers(connection, goal.query, place=place, lines=lines)
    rows = answer(connection, plan, goal)
    _check_types(connection, rows, settings.users, who, partial(QueryRejected, place=place))


def _counted(connection: Connection, goal: GoalPlan, settings: Settings, as_of: datetime) -> datetime:
    """Say until when what a goal depends on is counted, of everybody."""
    definitions = {"feature": f"feature:{goal.value}", "level": "levels"}
    return min(as_of, counted_for(connection, definitions.get(goal.kind), settings).up_to)


def _moments(
    rows: FromClause,
    user_id: ColumnElement[Any],
    at: ColumnElement[Any],
    value: ColumnElement[Any] | None,
    until: datetime,
) -> Happened:
    return Happened(rows, user_id, at, at, value, until)


def answer(connection: Connection, plan: Compared, goal: GoalPlan) -> Subquery:
    """Make a goal's query part of a statement: who, when, and perhaps what it is worth.

    Raises:
        QueryRejected: it needs TiDB, and this is the embedded database.
    """
    query = goal.query
    assert query is not None
    sql = sql_moments.readable_text(connection, query)
    if sql is None:
        raise QueryRejected(
            f"The goal's query needs TiDB: {query.needs_tidb}.",
            advice="Set SKENE_DATABASE_URL to a TiDB database, or write it with functions that both have.",
            place=plan.document.text_place(path_of(plan, goal)),
        )
    names = [query.key, AT, *([VALUE] if VALUE in (query.columns or ()) else [])]
    return text(sql).columns(*(column(name) for name in names)).subquery("happened")


def path_of(plan: Compared, goal: GoalPlan) -> tuple[str | int, ...]:
    """Return where the goal's query stands in its file."""
    return "goal", plan.goals.index(goal), "query"


def _check_types(
    connection: Connection, rows: Subquery, users: Users, who: Who, refuse: Callable[..., QueryRejected]
) -> None:
    is_key, is_at, is_value = _fitting(connection, rows, users, who)
    if not is_key:
        raise refuse(
            f"What the goal's query returns as the user is not of the type of {users.table}.{users.key}.",
            advice="Return the column that has the users key.",
        )
    if not is_at:
        raise refuse(
            "What the goal's query returns as `at` is not a date and time.",
            advice="If it counts seconds since 1970, write: FROM_UNIXTIME(…) AS at\n"
            "If it is a text: CAST(… AS DATETIME) AS at",
        )
    if not is_value:
        raise refuse(
            "What the goal's query returns as `value` is not a number.",
            advice="Write: CAST(… AS DECIMAL(20, 2)) AS value",
        )


def _fitting(connection: Connection, rows: Subquery, users: Users, who: Who) -> tuple[bool, bool, bool]:
    """Say whether the columns are a users key, a moment and a number."""
    is_integer = users_key(connection, users).is_integer
    if not is_sqlite(connection):
        # The types, without evaluating the query.
        kinds = [kind for _, kind, *_ in connection.execute(select(rows).limit(0)).cursor.description]
        return (kinds[0] in _INTEGERS) == is_integer, kinds[1] in _MOMENTS, all(kind in _NUMBERS for kind in kinds[2:])
    key, at, *value = rows.c
    a_key = connection.execute(select(func.typeof(key)).where(key.is_not(None)).limit(1)).scalar()
    types = [func.max(func.typeof(at).in_(("integer", "real")))]
    types += [func.max(func.typeof(one).in_(("text", "blob"))) for one in value]
    numbers, *others = connection.execute(select(*types).where(key.in_(who))).one()
    return not (is_integer and a_key == "text"), not numbers, not any(others)
