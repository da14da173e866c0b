"""Reconcile: close what runs have left open behind them, whatever the cron of their loop. DESIGN §5.

An attempt without answer is made again under its key while the key lives, by which time its loop's next tick may be
a month away; afterwards the provider's records are asked, and asked again about what is in doubt.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, Engine

from skene_dagster.delivery import ledger
from skene_dagster.delivery.attempt import Policy, attempt, key_is_over, resolve
from skene_dagster.delivery.desk import Desk
from skene_dagster.delivery.write_back import write_back
from skene_dagster.loops.plan import Email, LoopPlan
from skene_dagster.store.engine import Clock, transaction


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


def is_wanted(engine: Engine, channel: str, clock: Clock, *, doubts_too: bool) -> bool:
    """Whether there is something to reconcile; two queries, bounded by what is open."""

    def look(connection: Connection) -> bool:
        if ledger.unresolved(connection, channel, clock()):
            return True
        return doubts_too and bool(ledger.in_doubt(connection, channel))

    return transaction(engine, look)


def reconcile(desk: Desk, plans: Sequence[LoopPlan]) -> Reconciled:
    """Look once at every batch of the desk's channel that is unresolved or in doubt, and at those of steps gone.

    Args:
        plans: the loops that are well. A batch of a loop that is not among them is resolved all the same; only a
            step that is gone from a loop that is well has its unsent batches dropped.

    Raises:
        ProviderFatal: the provider refuses everything.
        ProviderUnavailable: some batches got no answer again.
        StoreError: the database refused.
    """
    emails = {
        (plan.name, step.name): (plan, step.email) for plan in plans for step in plan.steps if step.email is not None
    }
    dropped = _drop_steps_that_are_gone(desk, plans)
    channel = desk.channel.name
    unresolved = desk.do(lambda c: ledger.unresolved(c, channel, desk.clock()))
    doubts = desk.do(lambda c: ledger.in_doubt(c, channel))
    for row in [*unresolved, *doubts]:
        if desk.stops:
            break
        plan, email = emails.get((row.loop, row.step), (None, None))
        policy = Policy.of(desk, email, plan.on_doubt) if plan and email else Policy()
        _look_at(desk, row.batch_id, policy, email)
    desk.complain()
    return Reconciled(
        looked_at=len(unresolved) + len(doubts),
        unresolved=len(desk.do(lambda c: ledger.unresolved(c, channel, desk.clock()))),
        in_doubt=len(desk.do(lambda c: ledger.in_doubt(c, channel))),
        dropped=dropped,
        parked=desk.parked,
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
            attempt(desk, batch, desk.do(lambda c: ledger.frozen(c, batch_id)), policy)
        after = desk.do(lambda c: ledger.batch_of(c, batch_id))
        if after.state == "accepted" and email is not None:
            write_back(desk, after, email)
    finally:
        desk.release(batch_id)


def _drop_steps_that_are_gone(desk: Desk, plans: Sequence[LoopPlan]) -> int:
    steps: Mapping[str, set[str]] = {plan.name: {step.name for step in plan.steps} for plan in plans}

    def drop(connection: Connection) -> int:
        dropped = 0
        for loop, step in ledger.steps_with_open_batches(connection, desk.channel.name):
            if loop in steps and step not in steps[loop]:
                dropped += ledger.drop_step(connection, ledger.Scope(desk.channel.name, loop, step), desk.clock())
        return dropped

    return desk.do(drop)
