"""Whom a step selects now, by two versions of it: the database compares both answers, and nothing is written."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, func, select

from skene_dagster.behaviour.rollup.counted import counted_whole
from skene_dagster.loops.planning.accounts import selected_from
from skene_dagster.segments import conditions
from skene_dagster.store.engine import users_table
from skene_dagster.versions.changes import Side


@dataclass(frozen=True)
class Inside:
    """How many a step selects, and who comes in and goes out; None: nothing of the kind was there."""

    before: int | None
    after: int | None
    come_in: int
    go_out: int


def inside(connection: Connection, before: Side | None, after: Side | None, as_of: datetime) -> Inside:
    """Count whom both versions of a step select at a moment.

    Raises:
        NotCounted: what users do is not counted as a version defines it.
        QueryRejected, StoreError: a condition cannot be evaluated.
    """
    old, new = (None if side is None else selected(connection, side, as_of) for side in (before, after))
    was, now = (None if keys is None else _count(connection, keys) for keys in (old, new))
    if old is None or new is None:
        return Inside(was, now, come_in=now or 0, go_out=was or 0)
    return Inside(was, now, _count(connection, without(new, old)), _count(connection, without(old, new)))


def who(
    connection: Connection, before: Side | None, after: Side | None, as_of: datetime, most: int | None
) -> tuple[list[object], list[object]]:
    """List who comes in, and who goes out, in the order of their keys; at most so many of each, or all."""
    old, new = (None if side is None else selected(connection, side, as_of) for side in (before, after))
    return (
        [] if new is None else list(_keys(connection, new if old is None else without(new, old), most)),
        [] if old is None else list(_keys(connection, old if new is None else without(old, new), most)),
    )


def selected(connection: Connection, side: Side, as_of: datetime) -> Select[Any]:
    """Select the keys that a step's condition selects: of rows of the product's table, each once, as it spells them."""
    counted_whole(connection, side.step.condition, side.settings)
    table = selected_from(side.step, side.settings)
    key = users_table(table).c[table.key]
    answer = conditions.answer(connection, side.plan, side.step, side.settings, as_of).rows.c[0]
    return select(key).where(key.in_(select(answer).where(answer.is_not(None))))


def without(keys: Select[Any], others: Select[Any]) -> Select[Any]:
    """Select the keys that are not among others."""
    return keys.where(keys.selected_columns[0].not_in(others))


def _count(connection: Connection, keys: Select[Any]) -> int:
    return connection.execute(select(func.count()).select_from(keys.subquery("keys_inside"))).scalar_one()


def _keys(connection: Connection, keys: Select[Any], most: int | None) -> Iterator[object]:
    ordered = keys.order_by(keys.selected_columns[0]).limit(most)
    yield from connection.execute(ordered).scalars()
