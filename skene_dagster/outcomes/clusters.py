"""What came of a loop about accounts, as the database adds it up: by account, for its people are not independent."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, FromClause, and_, case, func, select

from skene_dagster.goals.arms import Arm, Comparison
from skene_dagster.outcomes.lift.arms import Accounts
from skene_dagster.outcomes.lift.values import AccountValues
from skene_dagster.store.tables import account_arms, account_people, arms

_with = account_people.c
_SAME = and_(*(arms.c[name] == _with[name] for name in ("mode", "loop", "draw", "user_id")))
PEOPLE: FromClause = arms.join(account_people, _SAME)
"""Who is compared, and with which account."""


def sizes(connection: Connection, comparison: Comparison, *which: ColumnElement[bool]) -> dict[tuple[float, Arm], int]:
    """Count the accounts of each arm, by the share from which they were drawn.

    Args:
        which: only some, by their columns in skene_account_arms.
    """
    columns = account_arms.c
    ours = [columns[name] == value for name, value in comparison.key.items()]
    query = select(columns.share, columns.arm, func.count()).where(*ours, *which).group_by(columns.share, columns.arm)
    return {(share, arm): number for share, arm, number in connection.execute(query)}


def arms_by(
    connection: Connection,
    people: FromClause,
    which: Sequence[ColumnElement[bool]],
    reached_at: ColumnElement[Any],
    by: Sequence[ColumnElement[Any]],
) -> dict[tuple[Any, ...], Accounts]:
    """Add up who reached a goal, by some columns of theirs.

    Args:
        people: `PEOPLE`, with what they reached.
        which: only some of them.
    """
    each = [func.count().label("n"), func.count(reached_at).label("y")]
    of = select(*by, *each).select_from(people).where(*which).group_by(*by, _with.account_id).subquery("accounts").c
    groups = [of[column.name] for column in by]
    n, y = of.n, of.y
    sums = [func.sum(one) for one in (n, y, n * n, n * y, y * y)]
    rows = connection.execute(select(*groups, func.count(), *sums).group_by(*groups))
    return {tuple(row[: len(by)]): Accounts(*(int(number) for number in row[len(by) :])) for row in rows}


def values_by_arm(
    connection: Connection,
    people: FromClause,
    which: Sequence[ColumnElement[bool]],
    value: ColumnElement[Any],
    cap: float,
) -> Mapping[tuple[float, Arm], AccountValues]:
    """Add up what people are worth, by the share from which their account was drawn, and its arm; see `arms_by`.

    Args:
        value: 0 of those who have none.
        cap: at which values are capped.
    """
    capped = case((value > cap, cap), else_=value)
    by = arms.c.share, arms.c.arm
    each = {
        "n": func.count(),
        "some": func.sum(case((value != 0, 1), else_=0)),
        "total": func.sum(value),
        "x": func.sum(capped),
    }
    named = [one.label(name) for name, one in each.items()]
    of = select(*by, *named).select_from(people).where(*which).group_by(*by, _with.account_id).subquery("accounts").c
    n, x = of.n, of.x
    sums = [func.sum(one) for one in (n, of.some, of.total, x, x * x, n * n, n * x)]
    rows = connection.execute(select(of.share, of.arm, func.count(), *sums).group_by(of.share, of.arm))
    return {
        (share, arm): AccountValues(
            accounts, int(n_), int(some), float(total), float(low), float(squared), int(n_squared), float(products)
        )
        for share, arm, accounts, n_, some, total, low, squared, n_squared, products in rows
    }
