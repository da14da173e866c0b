"""Which parts of a plain condition hold for one user: the database evaluates each, with the tick's clock."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Column, ColumnElement, Connection, column, exists, literal, select, text
from sqlalchemy.exc import DBAPIError

from skene_dagster.loops.dialect import Part, parts_of
from skene_dagster.loops.plan import LoopPlan, Query, StepPlan
from skene_dagster.product import sql_moments
from skene_dagster.product.tick_clock import bound
from skene_dagster.settings import Settings
from skene_dagster.store.engine import users_table


@dataclass(frozen=True)
class Checked:
    """A part of a condition, and whether a user meets it."""

    part: str
    """In its author's words."""
    holds: bool | None
    """None: it was not checked, for it reads other tables, or the database cannot evaluate it alone."""
    values: tuple[tuple[str, object], ...] = ()
    """What of the user it reads, by column."""


def check(
    connection: Connection, plan: LoopPlan, step: StepPlan, settings: Settings, user_id: object, as_of: datetime
) -> list[Checked]:
    """Say which parts of a step's condition hold for a user; nothing of one that is no plain SELECT.

    Args:
        user_id: as the users table has it.
    """
    condition = step.condition
    if not isinstance(condition, Query) or not condition.plain or condition.by_row:
        return []
    parts = parts_of(condition, settings.users, settings.schema)
    tests = [_test(connection, plan, step, part, user_id, as_of) for part in parts]
    held = _asked(connection, tests)
    values = _values(connection, settings, parts, user_id)
    return [
        Checked(part.author, holds, tuple((name, values[name]) for name in part.columns if name in values))
        for part, holds in zip(parts, held, strict=True)
    ]


def _test(
    connection: Connection, plan: LoopPlan, step: StepPlan, part: Part, user_id: object, as_of: datetime
) -> ColumnElement[bool] | None:
    sql = None if part.query is None else sql_moments.readable_text(connection, part.query)
    if sql is None or part.query is None:
        return None
    key: Column[object] = column(part.query.key)  # type: ignore[assignment]  # a column of a text has no table
    rows = bound(text(sql), as_of, plan.zone_of(step)).columns(key).subquery()
    return exists().where(rows.c[0] == literal(user_id, rows.c[0].type))


def _asked(connection: Connection, tests: Sequence[ColumnElement[bool] | None]) -> list[bool | None]:
    """Ask the database at once; what it then refuses, one by one, for one may be to blame."""
    asked = [test for test in tests if test is not None]
    if not asked:
        return [None] * len(tests)
    try:
        answers = iter(connection.execute(select(*(test.label(f"part_{n}") for n, test in enumerate(asked)))).one())
    except DBAPIError:
        if len(asked) == 1:
            return [None] * len(tests)
        return [None if test is None else _asked(connection, [test])[0] for test in tests]
    return [None if test is None else bool(next(answers)) for test in tests]


def _values(connection: Connection, settings: Settings, parts: Sequence[Part], user_id: object) -> dict[str, object]:
    """Read the columns that parts on the users table alone name, as the user has them."""
    names = list(dict.fromkeys(name for part in parts if part.query is not None for name in part.columns))
    table = users_table(settings.users, *(name for name in names if name != settings.users.key))
    try:
        row = connection.execute(
            select(*(table.c[name] for name in names)).where(table.c[settings.users.key] == user_id)
        ).one_or_none()
    except DBAPIError:
        return {}
    return {} if row is None else dict(zip(names, row, strict=True))
