"""What people have ordered: pause, cancel, approve. Rows in the database, read before every POST. DESIGN §5.

They stand in the database, not in Dagster's settings: a retry, a re-execution and `dagster job execute` on another
machine obey as well.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, and_, insert, or_, select, update

from skene_dagster.store.tables import controls

ALL = "*"
"""In place of a step: all steps of the loop; in place of a loop: all loops."""


@dataclass(frozen=True)
class Orders:
    """What holds for one step of one loop now."""

    paused: bool
    """Nothing is sent."""
    cancelled_at: datetime | None
    """What was reserved until then, and not yet attempted, is not sent."""
    approved: bool
    """A large first wave may go."""


def orders(connection: Connection, loop: str, step: str) -> Orders:
    """Read what was ordered about a step, about its loop, and about all loops."""
    about = or_(
        and_(controls.c.loop == ALL, controls.c.step == ALL),
        and_(controls.c.loop == loop, controls.c.step.in_((ALL, step))),
    )
    rows = connection.execute(
        select(controls.c.paused_at, controls.c.cancelled_at, controls.c.approved_at).where(about)
    ).all()
    return Orders(
        paused=any(row.paused_at is not None for row in rows),
        cancelled_at=max((row.cancelled_at for row in rows if row.cancelled_at is not None), default=None),
        approved=any(row.approved_at is not None for row in rows),
    )


def paused_loops(connection: Connection) -> Sequence[str]:
    """List the loops that are paused by name; `*` among them where all are."""
    query = select(controls.c.loop).where(controls.c.paused_at.is_not(None)).order_by(controls.c.loop)
    return connection.execute(query).scalars().all()


def pause(connection: Connection, loop: str, now: datetime) -> None:
    """Send nothing more of a loop (of all: `ALL`), until `resume`."""
    _order(connection, loop, ALL, paused_at=now)


def resume(connection: Connection, loop: str) -> None:
    """End the pause of a loop, or the one of all; the one leaves the other as it is."""
    _order(connection, loop, ALL, paused_at=None)


def cancel(connection: Connection, loop: str, now: datetime) -> None:
    """Do not send what is reserved for a loop by now. What was attempted is left to be resolved."""
    _order(connection, loop, ALL, cancelled_at=now)


def approve(connection: Connection, loop: str, step: str, now: datetime) -> None:
    """Let the first wave of a step go, however large."""
    _order(connection, loop, step, approved_at=now)


def _order(connection: Connection, loop: str, step: str, **values: datetime | None) -> None:
    """Write an order. Raises IntegrityError when another process just wrote the first one about the same."""
    written = connection.execute(
        update(controls).where(controls.c.loop == loop, controls.c.step == step).values(values)
    ).rowcount
    if not written:
        connection.execute(insert(controls).values(loop=loop, step=step, **values))
