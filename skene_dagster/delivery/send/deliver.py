"""Deliver: advance those of a step's batches that are due, in order of their due time."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from skene_dagster.delivery import ledger
from skene_dagster.delivery.backup_recovery import refuse_an_outdated_ledger
from skene_dagster.delivery.email.templates import Templates
from skene_dagster.delivery.ledger import scope_of
from skene_dagster.delivery.model import DueBatch
from skene_dagster.delivery.send.advance import advance
from skene_dagster.delivery.send.session import DeliverySession
from skene_dagster.delivery.send.source import Source
from skene_dagster.delivery.send.write_back import refuse_what_cannot_be_written
from skene_dagster.loops.plan import LoopPlan, StepPlan
from skene_dagster.store import environment


@dataclass(frozen=True)
class Delivered:
    """The state of the step after a delivery, and how many batches wait for a later run."""

    counts: dict[str, int]
    accepted: int
    """Emails that the provider accepted in this delivery, for any tick."""
    open: int
    """Batches that wait: for their due time, for the provider's records, for a later run."""
    stopped_because: str
    """Why nothing more is sent for now (`paused`, or what the provider said); empty if everything possible was sent."""


def deliver(
    session: DeliverySession,
    *,
    plan: LoopPlan,
    step: StepPlan,
    templates: Templates,
    progress: Callable[[int], None] = lambda _: None,
) -> Delivered:
    """Send what this run or any earlier one has reserved, until nothing more is due.

    A batch that is not due yet is ignored. One that cannot be worked on holds up no other.

    Args:
        progress: called with the size of each batch that was worked on.

    Raises:
        LedgerOutdated: the ledger was restored from a backup, and does not know what was sent since.
        ProviderFatal: the provider refuses everything; retrying does not help.
        SpoolError: what recipients answered waits on this machine, and cannot be read: nothing is sent.
        ProviderUnavailable: some batches got no answer; a retry sends them again with the same keys and bytes.
        StoreError: the database refused, perhaps for one batch alone; before anything is sent, if it would refuse to
            write `set`.
    """
    source = Source.of(session, plan, step, templates, session.do(environment.ledger_id))
    policy, scope = source.policy(session), scope_of(session.mode.name, plan, step)

    def due(stopped: Collection[str] = ()) -> Sequence[DueBatch]:
        by = source.email.provider
        rows = session.do(lambda c: ledger.due(c, scope, session.clock(), session.failed, by=by, not_by=stopped))
        return [] if session.paused else rows

    if session.mode.leaves and due():
        refuse_an_outdated_ledger(session, source.email.provider)
        if policy.write_back:
            refuse_what_cannot_be_written(session, source.step)
    while waiting := due(stopped := session.stopped):
        worked = False
        for candidate in waiting:
            cut = len(session.cut)
            batch = advance(session, candidate.batch_id, policy, source)
            if batch is not None:
                worked = True
                # Of a batch that was cut up, the parts are counted.
                progress(batch.size if len(session.cut) == cut else 0)
            if session.paused or session.stopped != stopped:
                break
        if not worked:
            session.wait_for(waiting)
    session.complain()
    counts = session.do(lambda c: ledger.counts(c, scope))
    return Delivered(
        counts, session.accepted, session.do(lambda c: ledger.open_batches(c, scope)), session.stopped_because
    )
