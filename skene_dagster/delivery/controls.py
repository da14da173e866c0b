"""What people have ordered: pause, cancel, approve. Rows in the database, read before every POST.

They stand in the database, not in Dagster's settings: a retry, a re-execution and `dagster job execute` on another
machine obey as well.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, String, and_, bindparam, insert, select, update

from skene_dagster.delivery.email.graphemes import cut
from skene_dagster.store.engine import CLOCKS_DIFFER
from skene_dagster.store.tables import controls

EVERY = "*"
"""In place of a step: all steps of the loop; in place of a loop: all loops."""

LONGEST_REASON = 255
"""Characters of why something is paused; the rest is left out."""


@dataclass(frozen=True)
class Orders:
    """What holds for one step of one loop now."""

    paused_as: tuple[str, ...]
    """By what names it is paused, each of which has to be resumed: its loop's, EVERY, or both."""
    paused_because: str | None
    """What paused it; None: a person did, or nothing is paused."""
    cancelled_at: datetime | None
    """What was reserved until then, and not yet attempted, is not sent."""
    approved: bool
    """A large first wave may go."""

    @property
    def paused(self) -> bool:
        """Whether nothing is sent."""
        return bool(self.paused_as)

    def cancels(self, at: datetime, now: datetime) -> bool:
        """Whether what was decided at a moment is cancelled; by no order that a wrong clock dated ahead of now.

        It would cancel all that comes until then. What was there when it was given, it has dropped.
        """
        return self.cancelled_at is not None and at <= self.cancelled_at <= now + CLOCKS_DIFFER


_EVERY_ORDER = select(
    controls.c.loop,
    controls.c.step,
    controls.c.paused_at,
    controls.c.paused_because,
    controls.c.cancelled_at,
    controls.c.approved_at,
)
_ORDERS = _EVERY_ORDER.where(
    controls.c.loop.in_((bindparam("a_loop", type_=String), EVERY)),
    controls.c.step.in_((bindparam("a_step", type_=String), EVERY)),
)
"""What was ordered about a step, its loop, and all loops; built once, for it is asked twice for every batch."""


def orders(connection: Connection, loop: str, step: str) -> Orders:
    """Read what was ordered about a step, about its loop, and about all loops."""
    return _of(connection.execute(_ORDERS, {"a_loop": loop, "a_step": step}).all())


def orders_of_steps(connection: Connection, steps: Collection[tuple[str, str]]) -> dict[tuple[str, str], Orders]:
    """Read what `orders` does of many steps, by loop and step."""
    rows = connection.execute(_EVERY_ORDER).all()
    return {
        (loop, step): _of([row for row in rows if row.loop in (loop, EVERY) and row.step in (step, EVERY)])
        for loop, step in steps
    }


def _of(rows: Sequence[Row[Any, Any, Any, Any, Any, Any]]) -> Orders:
    return Orders(
        paused_as=tuple(sorted({row.loop for row in rows if row.paused_at is not None}, reverse=True)),
        paused_because=next((row.paused_because for row in rows if row.paused_because is not None), None),
        cancelled_at=max((row.cancelled_at for row in rows if row.cancelled_at is not None), default=None),
        approved=any(row.approved_at is not None for row in rows),
    )


@dataclass(frozen=True)
class Pause:
    """An order that nothing is sent, of a loop or of any."""

    since: datetime
    because: str | None
    """What gave it; None: a person."""


def paused(connection: Connection) -> Mapping[str, Pause]:
    """List what is paused, by loop; EVERY where all loops are."""
    query = select(controls.c.loop, controls.c.paused_at, controls.c.paused_because)
    rows = connection.execute(query.where(controls.c.paused_at.is_not(None)).order_by(controls.c.loop))
    return {row.loop: Pause(row.paused_at, row.paused_because) for row in rows}


def loops(connection: Connection) -> frozenset[str]:
    """Name the loops that anything was ever ordered about."""
    return frozenset(connection.execute(select(controls.c.loop).distinct()).scalars()) - {EVERY}


def pause(connection: Connection, loop: str | None, now: datetime, because: str | None = None) -> bool:
    """Send nothing more of a loop, or of any (None), until `resume`. A second order changes nothing of the first.

    Args:
        because: what paused it; None: a person.

    Returns:
        Whether it was not paused before.

    Raises:
        IntegrityError: another process just gave the first order about the same; do it again. So do cancel, approve.
    """
    if (loop or EVERY) in paused(connection):
        return False
    # The name of a recipients' domain alone may be 253 characters.
    said = None if because is None else cut(because, LONGEST_REASON)
    _order(connection, loop or EVERY, EVERY, paused_at=now, paused_because=said)
    return True


def resume(connection: Connection, loop: str | None, now: datetime) -> bool:
    """End the pause of a loop, or that of all (None); the one leaves the other. False where there was none.

    What came back of emails that were accepted before is not held against it any more.
    """
    there = _about(loop or EVERY, EVERY) & controls.c.paused_at.is_not(None)
    over = update(controls).where(there).values(paused_at=None, paused_because=None, judged_from=now)
    return bool(connection.execute(over).rowcount)


def judged_from(connection: Connection) -> Mapping[str, datetime]:
    """Say since when the emails of loops count that were paused before, by loop; EVERY: those of all together."""
    query = select(controls.c.loop, controls.c.judged_from).where(controls.c.judged_from.is_not(None))
    return {row.loop: row.judged_from for row in connection.execute(query)}


def cancel(connection: Connection, loop: str, now: datetime) -> None:
    """Do not send what is reserved for a loop by now. What was attempted is left to be resolved."""
    _order(connection, loop, EVERY, cancelled_at=now)


def approve(connection: Connection, loop: str, step: str, now: datetime) -> None:
    """Let the first wave of a step go, however large."""
    _order(connection, loop, step, approved_at=now)


def _order(connection: Connection, loop: str, step: str, **order: datetime | str | None) -> None:
    if not connection.execute(update(controls).where(_about(loop, step)).values(order)).rowcount:
        connection.execute(insert(controls).values(loop=loop, step=step, **order))


def _about(loop: str, step: str) -> ColumnElement[bool]:
    return and_(controls.c.loop == loop, controls.c.step == step)
