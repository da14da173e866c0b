"""Deliver: take every open batch of a step through freeze, attempt and settle. DESIGN §5."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row

from skene_dagster.delivery import ledger
from skene_dagster.delivery.attempt import Next, Policy, attempt, key_is_over, resolve
from skene_dagster.delivery.desk import Desk
from skene_dagster.delivery.freeze import freeze_batch
from skene_dagster.delivery.ledger import Scope
from skene_dagster.delivery.message import Frozen
from skene_dagster.delivery.recovery import refuse_an_outdated_ledger
from skene_dagster.delivery.templates import Templates
from skene_dagster.delivery.write_back import refuse_what_cannot_be_written, write_back
from skene_dagster.loops.plan import Email, LoopPlan, StepPlan
from skene_dagster.store import environment


@dataclass(frozen=True)
class Delivered:
    """What the ledger says of the step after a delivery, and how many batches wait for a later run."""

    counts: dict[str, int]
    open: int
    """Batches that wait for a later run."""
    parked: str
    """Why nothing more is sent for now (`paused`, or what the provider said); empty when all was sent."""


@dataclass(frozen=True)
class _Work:
    """The step that is delivered."""

    desk: Desk
    plan: LoopPlan
    step: StepPlan
    templates: Templates
    ledger_id: str

    @property
    def email(self) -> Email:
        assert self.step.email is not None
        return self.step.email

    @property
    def policy(self) -> Policy:
        return Policy.of(self.desk, self.email, self.plan.on_doubt)

    @property
    def scope(self) -> Scope:
        return Scope(self.desk.channel.name, self.plan.name, self.step.name)

    def open_batches(self) -> list[Row[Any, Any, Any]]:
        rows = self.desk.do(lambda c: ledger.to_do(c, self.scope))
        return [row for row in rows if row.batch_id not in self.desk.unanswered]


def deliver(
    desk: Desk,
    *,
    plan: LoopPlan,
    step: StepPlan,
    templates: Templates,
    progress: Callable[[int], None] = lambda _: None,
) -> Delivered:
    """Send what is reserved, by this run or any earlier one, until each batch is settled, parked or without answer.

    Args:
        progress: is told the size of each batch that was worked on.

    Raises:
        LedgerOutdated: the ledger was restored from a backup, and does not know what it sent since.
        ProviderFatal: the provider refuses everything; retrying does not help.
        ProviderUnavailable: some batches got no answer; a retry sends them again with the same keys and bytes.
        StoreError: the database refused; before anything is sent, if it would refuse to write `set`.
    """
    work = _Work(desk, plan, step, templates, desk.do(environment.ledger_id))
    if desk.channel.leaves and work.open_batches():
        refuse_an_outdated_ledger(desk)
        if work.policy.write_back:
            refuse_what_cannot_be_written(desk, work.email)
    while (waiting := work.open_batches()) and not desk.stops:
        worked = False
        for candidate in waiting:
            batch, frozen = _claim(work, candidate.batch_id)
            if batch is not None:
                worked = True
                _take_through(work, batch, frozen)
                progress(batch.size)
            if desk.stops:
                break
        if not worked:
            desk.wait_for(waiting)
    desk.complain()
    counts = desk.do(lambda c: ledger.counts(c, work.scope))
    return Delivered(counts, len(work.open_batches()), desk.parked)


def _claim(work: _Work, batch_id: str) -> tuple[Row[Any] | None, Frozen | None]:
    """Take a batch, and freeze it where that is still to be done.

    Returns:
        None where another has it; and its bytes, unless they lie in the ledger, or nothing of it is to be sent.
    """
    desk = work.desk

    def claim(connection: Connection) -> tuple[Row[Any] | None, Frozen | None]:
        batch = ledger.claim(connection, batch_id, desk.owner, desk.clock())
        if batch is None or batch.state != "reserved":
            return batch, None
        if desk.channel.leaves:
            ledger.set_apart(connection, batch, write_back=work.policy.write_back, now=desk.clock())
        if not desk.may_send(connection, batch):
            return batch, None
        return batch, freeze_batch(
            connection,
            batch,
            plan=work.plan,
            step=work.step,
            settings=desk.settings,
            channel=desk.channel,
            templates=work.templates,
            clock=desk.clock,
            ledger_id=work.ledger_id,
        )

    return desk.do(claim)


def _take_through(work: _Work, batch: Row[Any], frozen: Frozen | None) -> None:
    """Bring a claimed batch through its states as far as it goes now, and give it back."""
    desk = work.desk
    claimed: Row[Any] | None = batch
    next_: Next = "again"
    try:
        while claimed is not None and next_ == "again":
            match claimed.state:
                case "accepted":
                    write_back(desk, claimed, work.email)
                    next_ = "done"
                case "frozen" if key_is_over(claimed, desk.clock()):
                    resolve(desk, claimed, work.policy)
                case "frozen" if frozen is None and (frozen := _bytes_of(desk, batch.batch_id)) is None:
                    next_ = _go_on_without_bytes(desk, claimed)
                case _:
                    next_ = attempt(desk, claimed, frozen, work.policy) if frozen is not None else "later"
            if next_ == "again":
                claimed = desk.claim(batch.batch_id)
    finally:
        # Who closes a batch gives it back with it.
        if next_ != "done":
            desk.release(batch.batch_id)


def _bytes_of(desk: Desk, batch_id: str) -> Frozen | None:
    return desk.do(lambda c: ledger.frozen(c, batch_id))


def _go_on_without_bytes(desk: Desk, batch: Row[Any]) -> Next:
    """Go on with a batch whose bytes are gone: another closed it meanwhile, or somebody took them out of the ledger."""

    def look(connection: Connection) -> Next:
        if ledger.batch_of(connection, batch.batch_id).state != "frozen":
            return "again"
        if batch.unresolved_since is None:
            # The provider has nothing of it, so it may be rendered anew.
            ledger.renew(connection, batch, desk.clock())
            return "again"
        desk.unanswered[batch.batch_id] = "its bytes are gone from the ledger"
        return "later"

    return desk.do(look)
