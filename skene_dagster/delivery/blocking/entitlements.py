"""Who is blocked: rows of skene_entitlements that the product reads before it lets a user do something.

SELECT message FROM skene_entitlements
WHERE mode = 'live' AND user_id = ? AND lifted_at = '9999-12-31'
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, Engine, delete, exists, func, insert, literal, select, update

from skene_dagster.delivery import controls
from skene_dagster.delivery.blocking import drawing
from skene_dagster.delivery.blocking.members import Members
from skene_dagster.delivery.modes import Mode
from skene_dagster.loops.plan import Block, LoopPlan, StepPlan, segment_name
from skene_dagster.segments import clearance
from skene_dagster.settings import Settings
from skene_dagster.store.engine import Clock, reading, transaction
from skene_dagster.store.key_ranges import Parts, Span, end
from skene_dagster.store.sweeping import Swept
from skene_dagster.store.tables import OPEN, Moment, entitlements

CHUNK = 50_000
"""Members per transaction."""


@dataclass(frozen=True)
class Entitled:
    """What an update of the entitlements changed."""

    blocked: int
    lifted: int
    paused: bool
    """A person has paused the loop: nothing was changed."""


def entitle(
    engine: Engine,
    *,
    plan: LoopPlan,
    step: StepPlan,
    mode: Mode,
    as_of: datetime,
    clock: Clock,
    settings: Settings,
) -> Entitled:
    """Block the members of the step's segment, and lift the block of those who left it. Idempotent.

    Of a segment of accounts these are the users who belong to one. Who is held out is not blocked, as they are not
    mailed.

    Raises:
        NoClearance: the segment was not refreshed at this as_of.
        StoreError: the database refused.
    """
    segment = segment_name(plan.name, step.ledger_name)
    paused = reading(engine, lambda connection: controls.orders(connection, plan.name, step.ledger_name).paused)
    if paused:
        return Entitled(0, 0, paused=True)

    members, share_of_all = Members.of(plan, step, settings), settings.holdout

    if plan.holdout or share_of_all:
        drawing.draw(engine, plan, step, settings, mode, as_of)

    def lift(connection: Connection) -> int:
        clearance.require(connection, segment, as_of, "nobody is blocked")
        not_held_out = members.not_held_out(connection, plan, mode.name, share_of_all)
        stays = exists(members.select(literal(1)).where(members.user == entitlements.c.user_id, *not_held_out))
        ours = _of(mode, plan, step)
        return connection.execute(
            update(entitlements).where(*ours, entitlements.c.lifted_at == OPEN, ~stays).values(lifted_at=clock())
        ).rowcount

    lifted = transaction(engine, lift)

    def block(connection: Connection, span: Span) -> int:
        clearance.require(connection, segment, as_of, "nobody is blocked")
        not_held_out = members.not_held_out(connection, plan, mode.name, share_of_all)
        return _block(connection, plan, step, mode, members, span, clock(), not_held_out)

    blocked = Parts(engine, block, [members.select(members.user)], CHUNK).by_ranges()
    return Entitled(blocked, lifted, paused=False)


def blocked_now(connection: Connection, plan: LoopPlan, step: StepPlan, mode: Mode) -> int:
    """Count who is blocked."""
    query = select(func.count()).where(*_of(mode, plan, step), entitlements.c.lifted_at == OPEN)
    return connection.execute(query).scalar_one()


def forget_lifted(connection: Connection, mode: str, *, before: datetime, since: object, size: int) -> Swept:
    """Delete blocks that were lifted before a moment; a user's key after the other, for no index knows the moment."""
    user = entitlements.c.user_id
    high = end(connection, [select(user).where(entitlements.c.mode == mode)], since, size)
    theirs = entitlements.c.mode == mode, Span(since, high).of(user)
    deleted = connection.execute(delete(entitlements).where(*theirs, entitlements.c.lifted_at < before)).rowcount
    return Swept(deleted, high)


def _block(
    connection: Connection,
    plan: LoopPlan,
    step: StepPlan,
    mode: Mode,
    members: Members,
    span: Span,
    now: datetime,
    not_held_out: Sequence[ColumnElement[bool]],
) -> int:
    assert isinstance(step.action, Block)
    known = exists().where(
        *_of(mode, plan, step), entitlements.c.user_id == members.user, entitlements.c.lifted_at == OPEN
    )
    new = members.select(
        literal(mode.name),
        members.user,
        literal(plan.name),
        literal(step.ledger_name),
        literal(OPEN, Moment),
        literal(now, Moment),
        literal(step.action.message),
    ).where(span.of(members.user), ~known, *not_held_out)
    names = ["mode", "user_id", "loop", "step", "lifted_at", "blocked_at", "message"]
    return connection.execute(insert(entitlements).from_select(names, new)).rowcount


def _of(mode: Mode, plan: LoopPlan, step: StepPlan) -> list[ColumnElement[bool]]:
    return [
        entitlements.c.mode == mode.name,
        entitlements.c.loop == plan.name,
        entitlements.c.step == step.ledger_name,
    ]
