"""Deliver: take every open batch of a step through freeze, attempt and settle. DESIGN §5.

A provider may have accepted what it never answered. So before each POST the ledger says that the provider may have
the batch (`unresolved_since`), the same bytes go out under the same key until there is a definite answer, and past
the key's life nothing is sent again: the batch is in doubt.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, Engine, Row, update
from typing_extensions import assert_never

from skene_dagster.audience import segments
from skene_dagster.delivery import ledger
from skene_dagster.delivery.channels import Channel
from skene_dagster.delivery.freeze import freeze_batch, halves
from skene_dagster.delivery.ledger import Scope
from skene_dagster.delivery.message import Message, freeze, thaw
from skene_dagster.delivery.providers.base import Accepted, Fatal, Provider, Refused, Throttled, Unknown
from skene_dagster.delivery.templates import Templates
from skene_dagster.errors import ProviderFatal, ProviderUnavailable
from skene_dagster.loops.plan import Email, LoopPlan, StepPlan, segment_name
from skene_dagster.settings import Settings
from skene_dagster.store.engine import Clock, transaction, users_table

KEY_LIVES = timedelta(hours=23)
"""How long a key is trusted; Resend keeps it 24 h."""

PATIENCE = 60.0
"""Seconds that a throttled batch is waited for within a run; longer, and it is parked for the next run."""

GIVE_UP = 3
"""Batches in a row without an answer, after which the provider counts as down and the run stops."""


@dataclass(frozen=True)
class Delivered:
    """What the ledger says of the step after a delivery, and how many batches wait for a later run."""

    counts: dict[str, int]
    open: int
    """Batches that wait for a later run."""
    parked: str
    """Why the provider takes nothing more for now; empty when all was sent."""


@dataclass
class _Run:
    """What one delivery works with, and what it has to leave to a later one."""

    engine: Engine
    plan: LoopPlan
    step: StepPlan
    email: Email
    settings: Settings
    channel: Channel
    provider: Provider
    templates: Templates
    clock: Clock
    pause: Callable[[float], None]
    owner: str
    unanswered: dict[str, str] = field(default_factory=dict)
    """Batches of this run without an answer, and what came instead of it."""
    silence: int = 0
    """How many batches in a row got no answer."""
    parked: str = ""
    """Why the provider takes nothing more for now."""

    @property
    def scope(self) -> Scope:
        return Scope(self.channel.name, self.plan.name, self.step.name)

    def claim(self, batch_id: str) -> Row[Any] | None:
        return transaction(self.engine, lambda c: ledger.claim(c, batch_id, self.owner, self.clock()))

    def open_batches(self) -> list[Row[Any, Any]]:
        rows = transaction(self.engine, lambda c: ledger.to_do(c, self.scope))
        return [row for row in rows if row.batch_id not in self.unanswered]


def deliver(
    engine: Engine,
    *,
    plan: LoopPlan,
    step: StepPlan,
    settings: Settings,
    channel: Channel,
    provider: Provider,
    templates: Templates,
    clock: Clock,
    pause: Callable[[float], None],
    owner: str,
    progress: Callable[[int], None] = lambda _: None,
) -> Delivered:
    """Send what is reserved, by this run or any earlier one, until each batch is settled, parked or without answer.

    Args:
        pause: waits so many seconds, for a throttled provider or another's lease.
        owner: who claims; unique per process and attempt.
        progress: is told the size of each batch that was worked on.

    Raises:
        ProviderFatal: the provider refuses everything; retrying does not help.
        ProviderUnavailable: some batches got no answer; a retry sends them again with the same keys and bytes.
        StoreError: the database refused.
    """
    assert isinstance(step.action, Email)
    run = _Run(engine, plan, step, step.action, settings, channel, provider, templates, clock, pause, owner)
    while (waiting := run.open_batches()) and not run.parked and run.silence < GIVE_UP:
        worked = False
        for candidate in waiting:
            batch = run.claim(candidate.batch_id)
            if batch is not None:
                worked = True
                _take_through(run, batch)
                progress(batch.size)
            if run.parked or run.silence >= GIVE_UP:
                break
        if not worked:
            # All are held by other runs: wait for the first of their leases to end, looking now and then.
            ends = min(row.lease_until or clock() for row in waiting)
            pause(min(max((ends - clock()).total_seconds(), 0.1), 5.0))
    if run.unanswered:
        raise ProviderUnavailable(
            f"{len(run.unanswered)} batches got no answer from {provider.name} "
            f"({next(iter(run.unanswered.values()))}).",
            advice="They are sent again under the same keys: nobody is mailed twice.",
        )
    counts = transaction(engine, lambda c: ledger.counts(c, run.scope))
    return Delivered(counts, len(run.open_batches()), run.parked)


def _take_through(run: _Run, batch: Row[Any]) -> None:
    """Bring a claimed batch through its states as far as it goes now, and give it back."""
    claimed: Row[Any] | None = batch
    try:
        while claimed is not None:
            if _is_too_late(run, claimed):
                transaction(run.engine, lambda c: ledger.expire(c, batch.batch_id, run.clock()))
                return
            match claimed.state:
                case "reserved":
                    _freeze(run, claimed)
                case "frozen":
                    if not _attempt(run, claimed):
                        return
                case _:
                    _write_back(run, claimed)
            claimed = run.claim(batch.batch_id)
    finally:
        left = run.unanswered.get(batch.batch_id) or run.parked or None
        transaction(run.engine, lambda c: ledger.release(c, batch.batch_id, run.owner, left))


def _is_too_late(run: _Run, batch: Row[Any]) -> bool:
    """Whether a batch waited too long, and the provider has nothing of it for certain."""
    waited = run.clock() - batch.reserved_at
    return batch.state != "accepted" and batch.unresolved_since is None and waited > run.settings.limits.expires_after


def _freeze(run: _Run, batch: Row[Any]) -> None:
    transaction(
        run.engine,
        lambda c: freeze_batch(
            c,
            batch,
            plan=run.plan,
            step=run.step,
            settings=run.settings,
            channel=run.channel,
            templates=run.templates,
            clock=run.clock,
        ),
    )


def _attempt(run: _Run, batch: Row[Any]) -> bool:
    """Send a frozen batch once. False: leave it for now."""
    now = run.clock()
    if batch.unresolved_since is not None and now - batch.unresolved_since >= KEY_LIVES:
        transaction(run.engine, lambda c: ledger.doubt(c, batch.batch_id, now))
        return True
    if not transaction(run.engine, lambda c: ledger.begin_attempt(c, batch.batch_id, run.owner, now)):
        return False
    messages = thaw(batch.payload)
    answer = run.provider.send_batch(messages, batch.batch_id)
    # After an attempt without answer a later refusal proves nothing about that attempt.
    definite = batch.unresolved_since is None
    silence, run.silence = run.silence, 0
    match answer:
        case Accepted(ids=ids):
            _settle(run, batch, messages, ids)
            return True
        case Refused() if definite:
            _isolate(run, batch, messages, answer)
            return True
        case Throttled(after=after, reason=reason):
            if definite:
                transaction(run.engine, lambda c: ledger.nothing_happened(c, batch.batch_id, reason))
            if after <= PATIENCE:
                run.pause(after)
                return True
            run.parked = reason
            return False
        case Fatal(reason=reason):
            if definite:
                transaction(run.engine, lambda c: ledger.nothing_happened(c, batch.batch_id, reason))
            raise ProviderFatal(f"{run.provider.name} refuses to send: {reason}")
        case Unknown(reason=reason) | Refused(reason=reason):
            run.unanswered[batch.batch_id] = reason
            run.silence = silence + 1
            return False
        case _:
            assert_never(answer)


def _settle(run: _Run, batch: Row[Any], messages: tuple[Message, ...], ids: tuple[str, ...]) -> None:
    provider_ids = {message.send_id: identity for message, identity in zip(messages, ids, strict=True)}
    write_back = run.channel.name == "live" and bool(run.email.set)
    now = run.clock()
    transaction(
        run.engine,
        lambda c: ledger.settle(c, batch.batch_id, provider_ids, write_back=write_back, now=now),
    )


def _isolate(run: _Run, batch: Row[Any], messages: tuple[Message, ...], answer: Refused) -> None:
    """Take the refused message out; where the answer does not name it, halve the batch until it is alone."""
    index = 0 if len(messages) == 1 else answer.index
    now = run.clock()

    def write(connection: Connection) -> None:
        if index is None or not 0 <= index < len(messages):
            ledger.split(connection, batch, halves(messages), now)
            return
        ledger.refuse(connection, batch.batch_id, messages[index].send_id, answer.reason, now)
        rest = messages[:index] + messages[index + 1 :]
        ledger.split(connection, batch, [([m.send_id for m in rest], freeze(rest))] if rest else [], now)

    transaction(run.engine, write)


def _write_back(run: _Run, batch: Row[Any]) -> None:
    """Write the action's `set` to the users whose email was accepted. Idempotent, and repeated until it is done."""
    users = run.settings.users
    values = dict(run.email.set)

    def write(connection: Connection) -> None:
        accepted = ledger.accepted_in(connection, batch.batch_id)
        if accepted and values:
            table = users_table(users, *values)
            connection.execute(update(table).where(table.c[users.key].in_(accepted)).values(values))
            segments.expect_exits(connection, segment_name(run.plan.name, run.step.name), accepted)
        ledger.written_back(connection, batch.batch_id, run.clock())

    transaction(run.engine, write)
