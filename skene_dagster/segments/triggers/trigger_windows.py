"""The rows that trigger a step: those in a tick's window."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, String, and_, cast, func, literal, or_, select

from skene_dagster.behaviour.patterns import like
from skene_dagster.loops.dialect import ROW_AT, ROW_KEY
from skene_dagster.loops.plan import LoopPlan, StepPlan, segment_name
from skene_dagster.loops.times.calendar_days import earlier
from skene_dagster.loops.triggers import After, Calls, Rows
from skene_dagster.product import mapped_moments
from skene_dagster.product.moments import ProductMoment
from skene_dagster.settings import Events
from skene_dagster.store.leasing import leases
from skene_dagster.store.names import named
from skene_dagster.store.subjects import ACCOUNT_SENDS, OF_ITS_SEND
from skene_dagster.store.tables import Moment, sends

ROW_USER = "skene_row_user"
OCCURRENCE = "skene_occurrence"

LATE = timedelta(minutes=10)
"""How late a row may be committed: a cursor alone would never find one that is written first and committed later."""


@dataclass(frozen=True)
class Window:
    """Which rows a tick reads: above `low`, up to and including `high`. The ledger knows those that it has seen."""

    low: datetime
    high: datetime
    looked_at: datetime | None
    """When the last tick looked, in real time; for emails that were accepted since."""


def window(
    step: StepPlan, as_of: datetime, *, last: datetime | None, first: datetime | None, at: datetime | None
) -> Window:
    """Return which rows a tick reads; none at the first tick, because history triggers nothing.

    Args:
        last: the as_of of the tick before.
        first: that of the first one.
        at: when, in real time, the tick before was done.
    """
    if last is None or first is None:
        return Window(as_of, as_of, None)
    return Window(max(first, last - step.timeout - LATE), as_of, None if at is None else at - LATE)


def rows(connection: Connection, plan: LoopPlan, step: StepPlan, mode: str, within: Window) -> Select[Any]:
    """Select the rows that trigger in a window: their key, user (or account), moment and occurrence."""
    match step.trigger:
        case Rows() as trigger:
            return _of_a_table(connection, trigger, within)
        case After() as trigger:
            due = _due(plan, trigger, within)
            return _of_accounts(plan, trigger, mode, due) if step.per_account else _of_users(plan, trigger, mode, due)
        case _:
            raise AssertionError(f"{step.name} is not about rows")


def still_there(
    connection: Connection,
    plan: LoopPlan,
    step: StepPlan,
    mode: str,
    *,
    occurrences: Collection[str],
    keys: Collection[object],
    between: tuple[datetime, datetime],
) -> Select[Any]:
    """Select those of some rows that would trigger still: their key, user (or account), moment and occurrence.

    A row that changed since, where changes trigger, is another occurrence: it is not among them.

    Args:
        keys: of the users or accounts that the rows are about.
        between: the first and the last of their moments.
    """
    match step.trigger:
        case Rows() as trigger:
            first, last = between
            found = _of_a_table(connection, trigger, Window(first - timedelta(microseconds=1), last, None))
            return found.where(found.selected_columns[OCCURRENCE].in_(occurrences))
        case After() as trigger:
            if step.per_account:
                about = ACCOUNT_SENDS.c
                named = and_(about.user_id.in_(keys), about.occurrence.in_(occurrences))
                return _of_accounts(plan, trigger, mode, named)
            return _of_users(plan, trigger, mode, and_(sends.c.user_id.in_(keys), sends.c.send_id.in_(occurrences)))
        case _:
            raise AssertionError(f"{step.name} is not about rows")


def next_look(connection: Connection, plan: LoopPlan, step: StepPlan) -> datetime | None:
    """Say after which moment the next tick looks at rows; None before the first."""
    row = leases.state(connection, segment_name(plan.name, step.ledger_name))
    if row is None or row.as_of is None:
        return None
    return window(step, row.as_of, last=row.as_of, first=row.first_as_of, at=None).low


def newest(connection: Connection, trigger: Rows, after: datetime, now: datetime) -> datetime | None:
    """Find the moment of the newest row that came after a moment, and by now; a look into one index.

    A row with a future moment triggers at that moment; until then it does not count as the newest.
    """
    rows = _source(trigger)
    at = _at(connection, trigger, rows)
    came = [at.since(after), at.before(now + timedelta(microseconds=1))]
    came += [at.moment > literal(after, Moment), at.moment <= literal(now, Moment)]
    found = connection.execute(select(func.max(at.moment, type_=Moment)).where(*came, *_only(trigger, rows)))
    moment: datetime | None = found.scalar_one()
    return moment


def of_calls(calls: Calls, events: Events) -> Rows:
    """Say where the product's calls at an endpoint are found: among its events, by their names."""
    return Rows.of_events(events, calls.pattern)


def is_due(connection: Connection, plan: LoopPlan, trigger: After, mode: str, within: Window) -> bool:
    """Whether an email's time to be followed has come in a window."""
    query = select(sends.c.send_id).where(_followed(plan, trigger, mode), _due(plan, trigger, within))
    return connection.execute(query.limit(1)).first() is not None


def _of_a_table(connection: Connection, trigger: Rows, within: Window) -> Select[Any]:
    source = _source(trigger)
    key, at = source.c[trigger.key], _at(connection, trigger, source)
    moment = at.moment
    occurrence: ColumnElement[Any] = cast(key, String(64))
    if trigger.changes:
        occurrence = occurrence.concat("@").concat(cast(at.raw, String(32)))
    return select(
        key.label(ROW_KEY), source.c[trigger.user].label(ROW_USER), moment.label(ROW_AT), occurrence.label(OCCURRENCE)
    ).where(
        # The raw column in addition to our own form of it, because an index contains only the raw one.
        at.since(within.low),
        at.before(within.high + timedelta(microseconds=1)),
        moment > literal(within.low, Moment),
        moment <= literal(within.high, Moment),
        *_only(trigger, source),
    )


def _due(plan: LoopPlan, trigger: After, within: Window) -> ColumnElement[bool]:
    """Say that an email's time to be followed lies in a window."""
    zone = plan.zone_of(plan.step(trigger.step))
    low, high = (earlier(moment, trigger.wait, zone) for moment in (within.low, within.high))
    due = and_(sends.c.as_of > low, sends.c.as_of <= high)
    if within.looked_at is not None:
        # An email that waited long for the provider is followed as well, though its time has passed.
        late = and_(sends.c.as_of <= low, sends.c.accepted_at > within.looked_at)
        due = or_(due, late)
    return due


def _of_users(plan: LoopPlan, trigger: After, mode: str, which: ColumnElement[bool]) -> Select[Any]:
    return select(
        sends.c.send_id.label(ROW_KEY),
        sends.c.user_id.label(ROW_USER),
        sends.c.as_of.label(ROW_AT),
        sends.c.send_id.label(OCCURRENCE),
    ).where(_followed(plan, trigger, mode), which)


def _of_accounts(plan: LoopPlan, trigger: After, mode: str, which: ColumnElement[bool]) -> Select[Any]:
    """Select the accounts whose email is followed, once for each occurrence, however many of the account got one."""
    about = ACCOUNT_SENDS.c
    return (
        select(
            func.min(sends.c.send_id).label(ROW_KEY),
            about.user_id.label(ROW_USER),
            func.min(sends.c.as_of, type_=Moment).label(ROW_AT),
            about.occurrence.label(OCCURRENCE),
        )
        .select_from(sends.join(ACCOUNT_SENDS, OF_ITS_SEND))
        .where(_followed(plan, trigger, mode), which)
        .group_by(about.user_id, about.occurrence)
    )


def _followed(plan: LoopPlan, trigger: After, mode: str) -> ColumnElement[bool]:
    parent = plan.step(trigger.step)
    return and_(
        sends.c.mode == mode,
        sends.c.loop == plan.name,
        sends.c.step == parent.ledger_name,
        sends.c.state == "accepted",
    )


def _source(trigger: Rows) -> Any:
    by_name = trigger.name[:1] if trigger.name else ()
    return named(trigger.table, trigger.key, trigger.user, trigger.at.column, *by_name)


def _only(trigger: Rows, source: Any) -> list[ColumnElement[bool]]:
    if trigger.name is None:
        return []
    column_, name = trigger.name
    if "*" in name:
        return [source.c[column_].like(like(name), escape="!")]
    return [source.c[column_] == name]


def _at(connection: Connection, trigger: Rows, rows: Any) -> ProductMoment:
    return mapped_moments.of(connection, trigger.table, trigger.at, rows.c[trigger.at.column], "at")
