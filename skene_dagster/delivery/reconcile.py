"""Reconcile: close what runs have left open behind them, whatever the cron of their loop. DESIGN §5.

An attempt without answer is made again under its key while the key lives, by which time its loop's next tick may be
a month away; afterwards the provider's records are asked, and asked again about what is in doubt.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, Engine

from skene_dagster.delivery import ledger
from skene_dagster.delivery.attempt import Policy, attempt, key_is_over, resolve
from skene_dagster.delivery.desk import PAUSED, Desk
from skene_dagster.delivery.ledger import Scope
from skene_dagster.delivery.write_back import write_back
from skene_dagster.loops.plan import Email, LoopPlan
from skene_dagster.store.engine import Clock, reading


@dataclass(frozen=True)
class Reconciled:
    """What a reconciliation found and left."""

    looked_at: int
    """Batches that an attempt had left without answer, or in doubt."""
    unresolved: int
    """Those that still are without answer."""
    in_doubt: int
    """Those in doubt."""
    dropped: int
    """Batches never attempted whose step is gone from its loop."""
    parked: str
    """Why nothing more is sent for now; empty when all was looked at."""


def is_wanted(engine: Engine, channel: str, clock: Clock, plans: Sequence[LoopPlan], *, doubts_too: bool) -> bool:
    """Whether there is something to reconcile; three queries, bounded by what is open."""

    def look(connection: Connection) -> bool:
        if ledger.unresolved(connection, channel, clock()) or _gone(connection, channel, plans):
            return True
        return doubts_too and bool(ledger.in_doubt(connection, channel))

    return reading(engine, look)


def reconcile(desk: Desk, plans: Sequence[LoopPlan], *, doubts_too: bool = True) -> Reconciled:
    """Look once at every batch of the desk's channel that is unresolved or in doubt, and at those of steps gone.

    Args:
        plans: the loops that are well. A batch of a loop that is not among them is resolved all the same, and its
            `set` left to the loop's next run; only a step that is gone from a loop that is well has its unsent
            batches dropped.
        doubts_too: ask about what is in doubt, which costs the provider's limit some calls for each batch.

    Raises:
        ProviderFatal: the provider refuses everything.
        ProviderUnavailable: some batches got no answer again.
        StoreError: the database refused.
    """
    emails = {
        (plan.name, step.name): (plan, step.email) for plan in plans for step in plan.steps if step.email is not None
    }
    well = {plan.name for plan in plans}
    dropped = _drop_steps_that_are_gone(desk, plans)
    channel = desk.channel.name
    unresolved = desk.do(lambda c: ledger.unresolved(c, channel, desk.clock()))
    doubts = desk.do(lambda c: ledger.in_doubt(c, channel)) if doubts_too else []
    paused = ""
    for row in [*unresolved, *doubts]:
        if desk.stops:
            break
        plan, email = emails.get((row.loop, row.step), (None, None))
        unread = Policy(write_back=channel == "live" and row.loop not in well)
        policy = Policy.of(desk, email, plan.on_doubt) if plan and email else unread
        _look_at(desk, row.batch_id, policy, email)
        if desk.parked == PAUSED:
            # An order about this loop; the others go on.
            paused, desk.parked = PAUSED, ""
    desk.complain()
    return Reconciled(
        looked_at=len(unresolved) + len(doubts),
        unresolved=len(desk.do(lambda c: ledger.unresolved(c, channel, desk.clock()))),
        in_doubt=len(desk.do(lambda c: ledger.in_doubt(c, channel))),
        dropped=dropped,
        parked=desk.parked or paused,
    )


def _look_at(desk: Desk, batch_id: str, policy: Policy, email: Email | None) -> None:
    """Resolve one batch as far as it goes now. What becomes of it new is left to its step's next run."""
    states = ("frozen", "in_doubt")
    batch = desk.do(lambda c: ledger.claim(c, batch_id, desk.owner, desk.clock(), states))
    if batch is None:
        return
    try:
        if batch.state == "in_doubt" or key_is_over(batch, desk.clock()):
            resolve(desk, batch, policy)
        elif batch.unresolved_since is not None:
            frozen = desk.do(lambda c: ledger.frozen(c, batch_id))
            if frozen is not None:
                attempt(desk, batch, frozen, policy)
        after = desk.do(lambda c: ledger.batch_of(c, batch_id))
        if after.state == "accepted" and email is not None:
            write_back(desk, after, email)
    finally:
        desk.release(batch_id)


def _drop_steps_that_are_gone(desk: Desk, plans: Sequence[LoopPlan]) -> int:
    def drop(connection: Connection) -> int:
        gone = _gone(connection, desk.channel.name, plans)
        return sum(ledger.drop_step(connection, scope, desk.clock()) for scope in gone)

    return desk.do(drop)


def _gone(connection: Connection, channel: str, plans: Sequence[LoopPlan]) -> list[Scope]:
    """List the steps that are gone from a loop that is well, and have batches that were never attempted."""
    steps: Mapping[str, set[str]] = {plan.name: {step.name for step in plan.steps} for plan in plans}
    return [
        Scope(channel, loop, step)
        for loop, step in ledger.steps_with_unsent_batches(connection, channel)
        if loop in steps and step not in steps[loop]
    ]
