"""Reconcile: settle what runs have left open, whatever their loop's cron.

An attempt without an answer is repeated under its key while the key lives: its loop's next tick may be a month away. If
the key cannot settle it any more, the provider's records are checked; for what is in doubt, again and again.
"""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache, partial

from sqlalchemy import Connection, Engine

from skene_dagster.delivery import controls, ledger
from skene_dagster.delivery.backup_recovery import refuse_an_outdated_ledger
from skene_dagster.delivery.email.templates import Templates
from skene_dagster.delivery.ledger import StepScope
from skene_dagster.delivery.model import Batch
from skene_dagster.delivery.send.advance import advance
from skene_dagster.delivery.send.records import Policy, is_for_the_records
from skene_dagster.delivery.send.session import DeliverySession
from skene_dagster.delivery.send.source import Source
from skene_dagster.loops.plan import LoopPlan
from skene_dagster.store import environment
from skene_dagster.store.engine import Clock, reading

LONGEST = timedelta(minutes=10)
"""How long a reconciliation takes up further batches."""


@dataclass(frozen=True)
class Reconciled:
    """What a reconciliation found and left."""

    looked_at: int
    """Batches that were worked on."""
    unresolved: int
    """Those that still are without answer."""
    in_doubt: int
    """Those in doubt."""
    dropped: int
    """Batches never attempted whose step is gone from its loop."""
    stopped_because: str
    """Why nothing more is sent for now; empty if everything was examined."""


def is_wanted(engine: Engine, mode: str, clock: Clock, plans: Sequence[LoopPlan]) -> bool:
    """Whether there is something to reconcile now; a few queries, bounded by what is open."""

    def ask(connection: Connection) -> bool:
        now = clock()
        is_paused = cache(lambda loop, step: controls.orders(connection, loop, step).paused)
        left = _left_behind(connection, mode, plans, now)
        return any(_can_go_on(row, now, is_paused) for row in left) or bool(_gone(connection, mode, plans))

    return reading(engine, ask)


def reconcile(session: DeliverySession, plans: Sequence[LoopPlan]) -> Reconciled:
    """Drive what runs have left behind on the session's mode, and drop what steps that are gone have not sent.

    A batch that it cuts out of another it drives as well. What it does not come to within LONGEST is left to the next.

    Args:
        plans: the loops that are well. A batch of a loop that is not among them is resolved all the same, and its
            `set` left to the loop's next run; only a step that is gone from a loop that is well has its unsent
            batches dropped.

    Raises:
        ProviderFatal: the provider refuses everything.
        ProviderUnavailable: some batches got no answer again.
        LedgerOutdated: the ledger was restored from a backup, and does not know what it sent since.
        StoreError: the database refused, perhaps for one batch alone.
    """
    until = session.clock() + LONGEST
    ledger_id = session.do(environment.ledger_id)
    templates = Templates(session.settings.templates, session.settings.root)
    sources = {
        (plan.name, step.ledger_name): Source.of(session, plan, step, templates, ledger_id)
        for plan in plans
        for step in plan.steps
        if step.email is not None
    }
    well = {plan.name for plan in plans}
    dropped = _drop_steps_that_are_gone(session, plans)
    mode = session.mode.name
    rows = session.do(lambda c: _left_behind(c, mode, plans, session.clock()))
    if session.mode.leaves:
        unsent = [row for row in rows if row.state != "accepted"]
        # What is rendered anew goes by the provider that its step has now.
        renewed = {source.email.provider for row in unsent if (source := sources.get((row.loop, row.step)))}
        for name in sorted({name for row in unsent if (name := _provider(row, sources))} | renewed):
            refuse_an_outdated_ledger(session, name)
    left = deque((row.batch_id, row.loop, row.step, _provider(row, sources)) for row in rows)
    looked_at, paused = 0, ""
    while left and session.clock() < until:
        batch_id, loop, step, provider = left.popleft()
        if provider in session.stopped:
            continue
        source = sources.get((loop, step))
        unread = Policy(write_back=mode == "live" and loop not in well)
        looked_at += advance(session, batch_id, source.policy(session) if source else unread, source) is not None
        by = source.email.provider if source else provider
        left.extendleft((part, loop, step, by) for part in reversed(session.cut))
        session.cut.clear()
        if session.paused:
            # An order about this loop; the others go on.
            paused, session.paused = session.why_paused, False
    _put_off_until_accounts_open(session, plans, sources)
    session.complain()
    return Reconciled(
        looked_at=looked_at,
        unresolved=session.do(lambda c: ledger.unresolved(c, mode)),
        in_doubt=len(session.do(lambda c: ledger.in_doubt(c, mode))),
        dropped=dropped,
        stopped_because=session.stopped_because or paused,
    )


def _put_off_until_accounts_open(
    session: DeliverySession, plans: Sequence[LoopPlan], sources: Mapping[tuple[str, str], Source]
) -> None:
    """Put off what an account that is closed for a quota left: nothing is to be started for it each minute."""
    now = session.clock()
    closed = {
        name: (until, outlet.stopped_because)
        for name, outlet in session.outlets.items()
        if outlet.stopped_because and (until := session.do(outlet.pacing.closed_until)) is not None
    }
    if not closed:
        return
    for row in session.do(lambda c: _left_behind(c, session.mode.name, plans, now)):
        until, said = closed.get(_provider(row, sources) or "", (None, ""))
        if until is not None and row.state != "accepted" and not is_for_the_records(row, now):
            due_at = min(until, now + ledger.LONGEST_WAIT)
            session.do(partial(ledger.put_off, batch_id=row.batch_id, attempts=row.attempts, due_at=due_at, said=said))


def _provider(batch: Batch, sources: Mapping[tuple[str, str], Source]) -> str | None:
    """Name who is to send a batch; None where nobody is, for its step is gone."""
    source = sources.get((batch.loop, batch.step))
    return batch.provider or (source.email.provider if source else None)


def _left_behind(connection: Connection, mode: str, plans: Sequence[LoopPlan], now: datetime) -> list[Batch]:
    """List what was left behind, but for what only a loop that is well could go on with."""
    steps = {(plan.name, step.ledger_name) for plan in plans for step in plan.steps if step.email is not None}
    rows = ledger.left_behind(connection, mode, now)
    return [row for row in rows if row.is_unresolved or (row.loop, row.step) in steps]


def _can_go_on(batch: Batch, now: datetime, is_paused: Callable[[str, str], bool]) -> bool:
    """Whether anything can be done for a batch; a pause, which may last for weeks, leaves only what sends nothing."""
    sends_nothing = batch.state == "accepted" or is_for_the_records(batch, now)
    return sends_nothing or not is_paused(batch.loop, batch.step)


def _drop_steps_that_are_gone(session: DeliverySession, plans: Sequence[LoopPlan]) -> int:
    def drop(connection: Connection) -> int:
        gone = _gone(connection, session.mode.name, plans)
        return sum(ledger.drop_step(connection, scope, session.clock()) for scope in gone)

    return session.do(drop)


def _gone(connection: Connection, mode: str, plans: Sequence[LoopPlan]) -> list[StepScope]:
    """List the steps that are gone from a loop that is well, and have batches that were never attempted."""
    steps: Mapping[str, set[str]] = {plan.name: {step.ledger_name for step in plan.steps} for plan in plans}
    return [
        StepScope(mode, loop, step)
        for loop, step in ledger.steps_with_unsent_batches(connection, mode)
        if loop in steps and step not in steps[loop]
    ]
