"""A condition as part of our statements: who is in the segment at a tick, and what an email can show of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, Select, Subquery, column, select, text
from typing_extensions import assert_never

from skene_dagster.behaviour import adoption, engagement, milestones, usage_limits
from skene_dagster.behaviour.accounts import standing
from skene_dagster.behaviour.rollup.counted import counted
from skene_dagster.errors import Place, QueryRejected
from skene_dagster.loops.dialect import ROW_AT, ROW_KEY
from skene_dagster.loops.plan import AtLevel, InState, LoopPlan, Query, Reached, StepPlan, UsedUp
from skene_dagster.loops.planning.accounts import accounts_of, selected_from
from skene_dagster.product import sql_moments
from skene_dagster.product.tick_clock import bound
from skene_dagster.segments import recheck
from skene_dagster.segments.recheck import Again
from skene_dagster.settings import Settings
from skene_dagster.store.engine import is_sqlite, reading
from skene_dagster.store.keys import same_as_users_key
from skene_dagster.store.subjects import ACCOUNTS, USERS, Subject
from skene_dagster.store.tables import engagement_levels, feature_adoption

Found = TypeVar("Found")


@dataclass(frozen=True)
class Answer:
    """Who the condition selects, for statements to read."""

    rows: Subquery
    """Its first column is the users key; the columns that the email names follow."""
    sql: str
    """The condition, as the database gets it."""
    only_users: bool
    """The keys come from the users table itself, and need not be checked."""
    by_key: bool
    """It can be evaluated for some users only."""
    plain: bool
    """It is a test of single rows of the users table."""
    users_alone: bool
    """It is plain, and reads no other table: in parts it takes as long as at once."""


def answer(
    database: Engine | Connection, plan: LoopPlan, step: StepPlan, settings: Settings, as_of: datetime
) -> Answer:
    """Make the step's condition part of a statement, with the tick's clock.

    If its author wrote `$1`, the statement has to provide the rows that trigger as `dialect.ROWS`.

    Raises:
        QueryRejected: it needs TiDB, and this is the embedded database; or it reads numbers as moments.
        NotCounted: it depends on what users do, which is not counted.
    """
    condition = step.condition
    if not isinstance(condition, Query):
        look = partial(counted, condition=condition, settings=settings)
        _asked(database, look)
        if step.per_account:
            find = partial(accounts_that, condition=condition, settings=settings, as_of=as_of)
            return _counted_as(database, _asked(database, find), only_users=False)
    kept = step.email.row_columns if step.email else ()
    match condition:
        case Query():
            return _query(database, plan, step, condition, settings, as_of, kept)
        case AtLevel():
            found = engagement.at_level(condition.level, as_of=as_of, for_=condition.for_)
        case InState():
            state = partial(
                adoption.in_state,
                feature=condition.feature,
                state=condition.state,
                as_of=as_of,
                for_=condition.for_,
                users=settings.users,
            )
            found = _asked(database, state)
        case Reached():
            found = milestones.reached(condition.milestone, settings.milestones[condition.milestone])
        case UsedUp():
            found = usage_limits.used_up(condition, as_of, settings.users)
        case _:
            assert_never(condition)
    only_users = isinstance(condition, UsedUp) or (isinstance(condition, InState) and condition.state == "untried")
    return _counted_as(database, found, only_users=only_users)


def answer_again(
    connection: Connection, plan: LoopPlan, step: StepPlan, settings: Settings, as_of: datetime, again: Again
) -> Subquery:
    """Evaluate the step's condition again for some users, with what is known now, but with the tick's clock.

    Its first column is the users key, as in `answer`. A rollup for as_of, or a later one, may not include what these
    users did since: that is counted here.

    Raises:
        QueryRejected, NotCounted: as `answer` does.
    """
    rows = answer(connection, plan, step, settings, as_of).rows
    condition = step.condition
    found: Select[Any]
    if step.per_account and not isinstance(condition, Query):
        found = accounts_that(connection, condition, settings, as_of, again)
        return found.where(found.selected_columns[0].in_(again.users)).subquery("again")
    match condition:
        case AtLevel():
            levels = recheck.levels(connection, settings, again, as_of)
            found = engagement.at_level(condition.level, as_of=as_of, for_=condition.for_, levels=levels)
        case InState():
            adopted = recheck.adopted(connection, settings, again, as_of, condition.feature)
            found = adoption.in_state(
                connection,
                condition.feature,
                condition.state,
                as_of=as_of,
                for_=condition.for_,
                users=settings.users,
                adoption=adopted,
            )
        case UsedUp():
            found = usage_limits.used_up(condition, as_of, settings.users, among=again.users)
        case Query() | Reached():
            found = select(rows)
        case _:
            assert_never(condition)
    return found.where(found.selected_columns[0].in_(again.users)).subquery("again")


def looked_up(connection: Connection, plan: LoopPlan, step: StepPlan) -> tuple[LoopPlan, StepPlan]:
    """Look up what the columns hold that a step's query reads as moments: what is returned needs no further look.

    Raises:
        QueryRejected: it reads numbers as moments.
    """
    query = step.condition
    if not isinstance(query, Query) or not query.moments:
        return plan, step
    sql = _readable(connection, plan, step, query)
    known = replace(query, moments=())
    if sql is not None and not is_sqlite(connection):
        known = replace(known, mysql=sql)
    asked = replace(step, condition=known)
    return replace(plan, steps=tuple(asked if one == step else one for one in plan.steps)), asked


def subject(step: StepPlan) -> Subject:
    """Say in which tables the step's segment is known."""
    return ACCOUNTS if step.per_account else USERS


def returned_twice(plan: LoopPlan, step: StepPlan, key: object) -> QueryRejected:
    """Say that a step's query returns somebody more than once."""
    # A text may be an address, and is not repeated.
    example = f", for example {key}" if isinstance(key, int) else ""
    one, word = ("an account", "account") if step.per_account else ("a user", "user")
    return QueryRejected(
        f"The condition returns {one} more than once{example}.",
        advice=f"Select each {word} once: with DISTINCT, GROUP BY, or EXISTS in place of a join.",
        place=plan.document.text_place(("steps", plan.steps.index(step), "condition", "query")),
    )


def place_of(plan: LoopPlan, step: StepPlan) -> Place:
    """Say where a step's condition stands."""
    path = ("steps", plan.steps.index(step), "condition")
    return plan.document.place((*path, "query") if isinstance(step.condition, Query) else path)


def accounts_that(
    connection: Connection,
    condition: AtLevel | InState | Reached | UsedUp,
    settings: Settings,
    as_of: datetime,
    again: Again | None = None,
) -> Select[Any]:
    """Select the accounts that are somewhere, by what their users do; the key comes first.

    Args:
        again: these accounts are asked about again; None: all are, for the first time.

    Raises:
        SettingsError: the users table names accounts in another type than their key has.
    """
    mapped = accounts_of(settings)
    same_as_users_key(connection, mapped, settings.users.table, mapped.user_column)
    about = None if again is None else again.users
    theirs = again and Again(select(standing.users_of(settings, about).subquery("theirs").c.user_id), again.now)
    match condition:
        case AtLevel():
            levels = recheck.levels(connection, settings, theirs, as_of) if theirs else engagement_levels
            return standing.at_level(condition, settings, as_of, levels)
        case InState(feature=feature):
            adopted = recheck.adopted(connection, settings, theirs, as_of, feature) if theirs else feature_adoption
            return standing.in_state(connection, condition, settings, as_of, adopted)
        case Reached():
            return standing.has_reached(condition, settings)
        case UsedUp():
            return standing.used_up(condition, settings, as_of, about)
        case _:
            assert_never(condition)


def _counted_as(database: Engine | Connection, found: Select[Any], *, only_users: bool) -> Answer:
    return Answer(found.subquery("q"), _shown(database, found), only_users, by_key=True, plain=False, users_alone=False)


def _query(
    database: Engine | Connection,
    plan: LoopPlan,
    step: StepPlan,
    query: Query,
    settings: Settings,
    as_of: datetime,
    kept: Sequence[str],
) -> Answer:
    if query.moments:
        sql = _asked(database, partial(_readable, plan=plan, step=step, query=query))
    else:
        sql = query.sqlite if is_sqlite(database) else query.mysql
    if sql is None:
        raise QueryRejected(
            f"The condition needs TiDB: {query.needs_tidb}.",
            advice="Set SKENE_DATABASE_URL to a TiDB database, or write it with functions that both have.",
            place=place_of(plan, step),
        )
    statement = bound(text(sql), as_of, plan.zone_of(step))
    names = dict.fromkeys((query.key, *kept, *((ROW_KEY, ROW_AT) if query.by_row else ())))
    # What is selected with the key may still be from another moment than the users table, were that another's.
    one_table = query.tables == (selected_from(step, settings).table,)
    only_users = query.plain or (query.own_key and one_table)
    rows = statement.columns(*(column(name) for name in names)).subquery("q")
    return Answer(rows, sql, only_users, query.by_key, query.plain, users_alone=query.plain and one_table)


def _readable(connection: Connection, plan: LoopPlan, step: StepPlan, query: Query) -> str | None:
    path = ("steps", plan.steps.index(step), "condition", "query")
    place, lines = plan.document.text_place(path), plan.document.text_lines(path)
    sql_moments.refuse_numbers(connection, query, place=place, lines=lines)
    return sql_moments.readable_text(connection, query)


def _asked(database: Engine | Connection, look: Callable[[Connection], Found]) -> Found:
    return reading(database, look) if isinstance(database, Engine) else look(database)


def _shown(database: Engine | Connection, found: Select[Any]) -> str:
    return str(found.compile(dialect=database.dialect, compile_kwargs={"literal_binds": True}))
