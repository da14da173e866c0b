"""How many reached a goal, of those whose outcomes are final: kept by the day on which they were enrolled.

A report adds these numbers up and counts only who came since, so that it does not take longer each year. They change
only when somebody is erased, in the transaction that erases what they count: they are always what a count from scratch
would find. This module owns skene_outcome_counts, and `counted_before` of skene_goals. Whoever changes either holds the
goal's row there.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Table,
    and_,
    case,
    delete,
    func,
    insert,
    select,
    tuple_,
    update,
)

from skene_dagster.goals.arms import Comparison
from skene_dagster.store.engine import transaction
from skene_dagster.store.moments import day_of
from skene_dagster.store.tables import arms, goals, outcome_counts, outcomes

_arm, _outcome, _goal, _count = arms.c, outcomes.c, goals.c, outcome_counts.c
_KEY = "mode", "loop", "draw", "goal"
_SAME = and_(*(_outcome[name] == _arm[name] for name in ("mode", "loop", "draw", "user_id")))


@dataclass(frozen=True)
class Kept:
    """Final outcomes of people of one kind: of one arm that was drawn from one share, and of one level."""

    share: float
    arm: Any
    level: str | None
    people: int
    reached: int
    earlier: int
    """Those of them who were enrolled before a day that was asked about."""
    earlier_reached: int


def keep(engine: Engine, comparison: Comparison, goal: str, *, late_ticks: timedelta) -> None:
    """Count those whose outcomes have become final; again changes nothing.

    Args:
        late_ticks: how long after its moment a tick may still enrol people, as of then.

    Raises:
        StoreError: the database refused; nothing is changed.
    """
    key = {**comparison.key, "goal": goal}

    def count(connection: Connection) -> None:
        reach = select(_goal.final_before, _goal.counted_before).where(_is(goals, key)).with_for_update()
        found = connection.execute(reach).one_or_none()
        if found is None or found.final_before is None:
            return
        before = datetime.combine(found.final_before - late_ticks, time())
        if found.counted_before is not None and before <= found.counted_before:
            # A late tick may be later than it could be then.
            connection.execute(delete(outcome_counts).where(_is(outcome_counts, key), _count.day >= before.date()))
        else:
            _add(connection, key, found.counted_before, before)
        connection.execute(update(goals).where(_is(goals, key)).values(counted_before=before))

    transaction(engine, count, resolve=count)


def counted_before(connection: Connection, comparison: Comparison, goal: str) -> datetime | None:
    """Say before which moment, a midnight (UTC), everybody was enrolled who is counted here; None: nobody is."""
    key = {**comparison.key, "goal": goal}
    return connection.execute(select(_goal.counted_before).where(_is(goals, key))).scalar_one_or_none()


def kept(connection: Connection, comparison: Comparison, goal: str, day: date) -> list[Kept]:
    """Read what is kept of a goal, but for those who were enrolled on a day; and how many of them were before that."""
    kind = _count.share, _count.arm, _count.level
    earlier = [func.sum(case((_count.day < day, number), else_=0)) for number in (_count.people, _count.reached)]
    query = select(*kind, func.sum(_count.people), func.sum(_count.reached), *earlier)
    mine = _is(outcome_counts, {**comparison.key, "goal": goal})
    rows = connection.execute(query.where(mine, _count.day != day).group_by(*kind))
    return [Kept(share, arm, level or None, *map(int, numbers)) for share, arm, level, *numbers in rows]


def forget(connection: Connection, user_id: object) -> Counter[str]:
    """Erase a user from all comparisons, and from what is counted here; return how many rows of which table it was."""
    mine = select(_arm.mode, _arm.loop, _arm.draw).where(_arm.user_id == user_id)
    compared = [tuple(row) for row in connection.execute(mine.order_by(_arm.mode, _arm.loop, _arm.draw))]
    if compared:
        ours = tuple_(_goal.mode, _goal.loop, _goal.draw).in_(compared)
        connection.execute(select(_goal.goal).where(ours).order_by(*goals.primary_key).with_for_update()).all()
        _subtract(connection, user_id)
    rows = Counter[str]()
    for table in (outcomes, arms):
        rows[table.name] = connection.execute(delete(table).where(table.c.user_id == user_id)).rowcount
    return rows


def _add(connection: Connection, key: dict[str, object], since: datetime | None, before: datetime) -> None:
    which: list[ColumnElement[bool]] = [_is(outcomes, key), _outcome.state == "final", _arm.enrolled_at < before]
    if since is not None:
        which.append(_arm.enrolled_at >= since)
    each = (
        select(*(_outcome[name] for name in _KEY), *_named(), _outcome.reached_at)
        .select_from(arms.join(outcomes, _SAME))
        .where(*which, *(_arm[name] == key[name] for name in _KEY[:-1]))
        # MariaDB, 2026-11: it does not recognize an expression again in GROUP BY; a column it does.
        .subquery("each")
        .c
    )
    kinds: Sequence[ColumnElement[Any]] = [column for column in each if column.name != "reached_at"]
    found = select(*kinds, func.count(), func.count(each.reached_at)).group_by(*kinds)
    connection.execute(insert(outcome_counts).from_select([column.name for column in outcome_counts.c], found))


def _subtract(connection: Connection, user_id: object) -> None:
    same = and_(*(_goal[name] == _outcome[name] for name in _KEY))
    counted = (
        select(*(_outcome[name] for name in _KEY), *_named(), _outcome.reached_at)
        .select_from(arms.join(outcomes, _SAME).join(goals, same))
        .where(_arm.user_id == user_id, _outcome.state == "final", _arm.enrolled_at < _goal.counted_before)
    )
    for *of, reached_at in connection.execute(counted).all():
        fewer = {"people": _count.people - 1, "reached": _count.reached - (reached_at is not None)}
        row = and_(*(column == value for column, value in zip(outcome_counts.primary_key, of, strict=True)))
        connection.execute(update(outcome_counts).where(row).values(fewer))


def _named() -> list[ColumnElement[Any]]:
    """Name what people are counted by, as the columns of their counts are."""
    return [
        day_of(_arm.enrolled_at).label("day"),
        _arm.share,
        _arm.arm,
        func.coalesce(_arm.level, "").label("level"),
    ]


def _is(table: Table, key: dict[str, object]) -> ColumnElement[bool]:
    return and_(*(table.c[name] == value for name, value in key.items()))
