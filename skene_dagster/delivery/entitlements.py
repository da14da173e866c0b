"""Who is blocked: rows of skene_entitlements that the product reads before it lets a user do something.

SELECT message FROM skene_entitlements
WHERE mode = 'live' AND user_id = ? AND lifted_at = '9999-12-31'
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Select,
    and_,
    delete,
    exists,
    func,
    insert,
    literal,
    select,
    update,
)

from skene_dagster.delivery import controls
from skene_dagster.delivery.modes import Mode
from skene_dagster.goals import arms
from skene_dagster.goals.comparing import Comparing
from skene_dagster.loops.all_loops import ALL_LOOPS
from skene_dagster.loops.plan import Block, LoopPlan, StepPlan, segment_name
from skene_dagster.loops.variants import variants_of
from skene_dagster.segments import clearance
from skene_dagster.segments.difference import Segment, inside
from skene_dagster.store.engine import Clock, reading, transaction
from skene_dagster.store.key_ranges import Parts, Span, end
from skene_dagster.store.sweeping import Swept
from skene_dagster.store.tables import OPEN, Moment, entitlements, segment_members

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
    share_of_all: float = 0.0,
) -> Entitled:
    """Block the members of the step's segment, and lift the block of those who left it. Idempotent.

    Who is held out is not blocked, as they are not mailed.

    Args:
        share_of_all: of all users, who is held out of all loops.

    Raises:
        NoClearance: the segment was not refreshed at this as_of.
        StoreError: the database refused.
    """
    segment = segment_name(plan.name, step.ledger_name)
    paused = reading(engine, lambda connection: controls.orders(connection, plan.name, step.ledger_name).paused)
    if paused:
        return Entitled(0, 0, paused=True)

    members = select(segment_members.c.user_id).where(inside(Segment(segment)))

    def draw(connection: Connection, span: Span) -> int:
        clearance.require(connection, segment, as_of, "nobody is blocked")
        return _draw(connection, plan, mode, members.where(span.of(segment_members.c.user_id)), share_of_all, as_of)

    if plan.holdout or share_of_all:
        Parts(engine, draw, [members], CHUNK).by_ranges()

    def lift(connection: Connection) -> int:
        clearance.require(connection, segment, as_of, "nobody is blocked")
        is_inside = exists().where(
            segment_members.c.segment == segment,
            segment_members.c.exited_at == OPEN,
            segment_members.c.user_id == entitlements.c.user_id,
        )
        stays = and_(is_inside, *_not_held_out(connection, plan, mode, entitlements.c.user_id, share_of_all))
        ours = _of(mode, plan, step)
        return connection.execute(
            update(entitlements).where(*ours, entitlements.c.lifted_at == OPEN, ~stays).values(lifted_at=clock())
        ).rowcount

    lifted = transaction(engine, lift)

    def block(connection: Connection, span: Span) -> int:
        clearance.require(connection, segment, as_of, "nobody is blocked")
        not_held_out = _not_held_out(connection, plan, mode, segment_members.c.user_id, share_of_all)
        return _block(connection, plan, step, mode, span, clock(), not_held_out)

    blocked = Parts(engine, block, [members], CHUNK).by_ranges()
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
    span: Span,
    now: datetime,
    not_held_out: Sequence[ColumnElement[bool]],
) -> int:
    assert isinstance(step.action, Block)
    members = segment_members.c
    known = exists().where(
        *_of(mode, plan, step), entitlements.c.user_id == members.user_id, entitlements.c.lifted_at == OPEN
    )
    new = select(
        literal(mode.name),
        members.user_id,
        literal(plan.name),
        literal(step.ledger_name),
        literal(OPEN, Moment),
        literal(now, Moment),
        literal(step.action.message),
    ).where(inside(Segment(segment_name(plan.name, step.ledger_name))), span.of(members.user_id), ~known, *not_held_out)
    names = ["mode", "user_id", "loop", "step", "lifted_at", "blocked_at", "message"]
    return connection.execute(insert(entitlements).from_select(names, new)).rowcount


def _draw(
    connection: Connection, plan: LoopPlan, mode: Mode, members: Select[Any], share_of_all: float, as_of: datetime
) -> int:
    """Draw the arms of those members who are in none; return how many."""
    user_id = members.selected_columns[0]
    new = members.where(~arms.is_in(arms.comparison_of(connection, mode.name, plan.name), user_id))
    if share_of_all:
        # Who is held out of all loops is in no loop's arm, and never will be.
        new = new.where(~arms.is_in(arms.comparison_of(connection, mode.name, ALL_LOOPS), user_id, "held_out"))
    keys = connection.execute(new).scalars().all()
    comparing = Comparing.read(
        connection,
        mode.name,
        plan.name,
        share=plan.holdout,
        share_of_all=share_of_all,
        variants=variants_of(plan),
        keys=keys,
        in_order=False,
    )
    made = [one for key in keys for one in comparing.enrol(key, comparing.holds_out(key))]
    arms.enrol(connection, made, members, as_of=as_of)
    return len(made)


def _not_held_out(
    connection: Connection, plan: LoopPlan, mode: Mode, user_id: ColumnElement[Any], share_of_all: float
) -> list[ColumnElement[bool]]:
    compared = [(plan.name, plan.holdout), (ALL_LOOPS, share_of_all)]
    held_out_of = [arms.comparison_of(connection, mode.name, loop) for loop, share in compared if share]
    return [~arms.is_in(comparison, user_id, "held_out") for comparison in held_out_of]


def _of(mode: Mode, plan: LoopPlan, step: StepPlan) -> list[ColumnElement[bool]]:
    return [
        entitlements.c.mode == mode.name,
        entitlements.c.loop == plan.name,
        entitlements.c.step == step.ledger_name,
    ]
