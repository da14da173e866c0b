"""Reserve: decide about whoever is new to a step, and whoever is due again; write it down, and cut the batches.

One page of users is one transaction: its facts are read, a pure function decides each, and the decisions and batches
are written together. The step's row in skene_steps lets one run at a time decide about it; what keeps two from mailing
one user twice, whatever happens, is the unique key of skene_sends: whoever comes second reads the page again.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import IntegrityError

from skene_dagster.consent.spool.draining import drain
from skene_dagster.consent.spool.spool import Spool
from skene_dagster.delivery import ledger, modes
from skene_dagster.delivery.decide import first_wave
from skene_dagster.delivery.decide.accounts.standing import refuse_another_subject
from skene_dagster.delivery.decide.arbiter.arbiter import days_of, is_arbitrated
from skene_dagster.delivery.decide.candidates import Candidate, count
from skene_dagster.delivery.decide.gates import judging, looking
from skene_dagster.delivery.decide.gates.judging import Gate
from skene_dagster.delivery.decide.send_audience import PAGE, SendAudience
from skene_dagster.delivery.decide.tick import Hold, Page, Tick, mails
from skene_dagster.delivery.ledger import StepProgress, StepScope
from skene_dagster.delivery.modes import Mode
from skene_dagster.errors import NoClearance
from skene_dagster.loops.plan import LoopPlan, StepPlan
from skene_dagster.segments import members
from skene_dagster.settings import Settings
from skene_dagster.store.engine import CLOCKS_DIFFER, Clock, clocks, reading, transaction
from skene_dagster.store.many.uncollected import uncollected

OUTBOX = "set another SKENE_ENV than production, and no SKENE_REDIRECT_TO."
"""How no email leaves."""


@dataclass(frozen=True)
class Reserved:
    """What a run decided: how many by outcome (`mail`, `skipped:once`, `deferred:repeat`), and its batches."""

    counts: dict[str, int]
    batches: int
    gates: tuple[Gate, ...] = ()
    """What each gate measured."""
    hold: Hold | None = None
    """Why nobody was decided about."""


def reserve(  # noqa: PLR0913 - what it needs, and how much at a time, each by its name
    engine: Engine,
    *,
    plan: LoopPlan,
    step: StepPlan,
    settings: Settings,
    mode: Mode,
    as_of: datetime,
    clock: Clock,
    others: Sequence[LoopPlan] = (),
    progress: Callable[[int], None] = lambda _: None,
    page: int = PAGE,
    batch: int | None = None,
) -> Reserved:
    """Decide about all who are new to the step by this tick, and all who are due. Idempotent: what is decided stays.

    Args:
        others: the loops of the project, which share the emails of a day, and the places under a cap.
        progress: is told how many users, or rows that triggered, of each page were decided.
        page: users, or rows, per transaction.
        batch: messages per batch. Default: as many as the step's provider takes.

    Raises:
        NoClearance: the segment was not refreshed at this as_of, as_of is not now while emails would leave, or the
            step is new while another of this loop is gone.
        SpoolError: what recipients answered waits on this machine, and cannot be read.
        StoreError: the database refused.
    """
    assert step.email is not None
    spool = Spool(settings.spool)
    audience = SendAudience(plan, step, settings, mode, as_of, page)
    now = clock()
    _refuse_other_times(mode, settings, as_of, now)
    reading(engine, lambda connection: _refuse_a_renamed_step(connection, plan, audience.scope))
    asked_for = step.email.transactional
    decided_up_to = _begin(engine, audience.scope, audience.digest, as_of, transactional=asked_for).reserved_as_of
    arbiter = reading(engine, lambda connection: audience.arbiter(connection, others, now))
    wave = first_wave.slices(audience, engine, decided_up_to, now)
    gates = looking.look(
        audience, engine, decided_up_to, now, arbiter.room_at_most(days_of(step.email, in_slices=wave is not None))
    )
    if is_arbitrated(settings, step.email):
        _begin(engine, ledger.all_loops(mode.name), "", as_of, transactional=False)
    size = batch or modes.terms(mode.name, step.email.provider).batch_limit
    tick = Tick(audience, clock, size, decided_up_to, gates, wave, arbiter)
    counts = Counter(reading(engine, audience.there_at_start) if decided_up_to is None else {})
    batches, emails, hold = 0, 0, None
    for part in tick.parts(in_turn=reading(engine, tick.is_too_large)):
        last: Candidate | None = None
        is_done = False
        while not is_done and hold is None:
            # What recipients said while the database was away is heard before anybody is decided about.
            drain(engine, spool, clock)
            done = _read_again_when_overtaken(engine, partial(tick.decide_page, part=part, after=last), page)
            hold, is_done = done.hold, done.is_done
            if not done.decided:
                break
            last = done.decided[-1].candidate
            batches, emails = batches + done.batches, emails + mails(done.decided)
            counts.update(count(one.decision for one in done.decided))
            tick.has_decided(done)
            progress(len(done.decided))
    if hold is not None:
        held = reading(engine, lambda connection: ledger.held(connection, audience.scope))
        counts.update({f"deferred:{reason}": n for reason, n in held.items()})
    elif counts.pop("deferred:budget", 0):
        # Some were asked about twice, and of those who waited before some were not reached.
        waiting = reading(engine, lambda connection: ledger.deferred(connection, audience.scope, by_row=step.by_row))
        counts.update({"deferred:budget": waiting["budget"]} if "budget" in waiting else {})
    measured = judging.decided(gates, emails) if hold is None else tuple(gates)
    return Reserved(dict(counts), batches, measured, hold)


def _begin(engine: Engine, scope: StepScope, digest: str, as_of: datetime, *, transactional: bool) -> StepProgress:
    def begin(connection: Connection) -> StepProgress:
        return ledger.begin(connection, scope, digest, as_of, transactional=transactional)

    try:
        return transaction(engine, begin, resolve=begin)
    except IntegrityError:
        # Another run has begun it at the same moment.
        return transaction(engine, begin, resolve=begin)


def _read_again_when_overtaken(engine: Engine, decide: Callable[[Connection], Page], size: int) -> Page:
    # Each round another run has decided at least one more member of the page: it ends.
    for _ in range(size):
        try:
            # Where the outcome of COMMIT is unknown, the page is read again and tells what was decided.
            with uncollected():
                return transaction(engine, decide, resolve=decide)
        except IntegrityError:
            continue
    raise AssertionError("a page was overtaken more often than it has members")


def _refuse_other_times(mode: Mode, settings: Settings, as_of: datetime, now: datetime) -> None:
    if mode.leaves and as_of > now + CLOCKS_DIFFER:
        raise NoClearance(
            f"The run is for {as_of:%Y-%m-%d %H:%M:%S} UTC, which is still to come; its emails may not leave. "
            f"{clocks(now)}",
            advice=f"Set the clocks right (NTP) and run it again. Simulated time is for the outbox: {OUTBOX}",
        )
    if mode.leaves and as_of < now - settings.limits.expires_after:
        raise NoClearance(
            f"The run is for {as_of:%Y-%m-%d %H:%M:%S} UTC, which is not now; its emails may not leave.",
            advice=f"Past and simulated time is for the outbox: {OUTBOX}",
        )


def _refuse_a_renamed_step(connection: Connection, plan: LoopPlan, scope: StepScope) -> None:
    """A step that is new while another is gone may be a renamed one: everybody would be mailed again."""
    refuse_another_subject(connection, scope)
    if ledger.has_decided(connection, scope):
        return
    present = {step.ledger_name for step in plan.steps}
    for name in members.steps_of(connection, plan.name):
        gone = StepScope(scope.mode, scope.loop, name, scope.subject)
        if name not in present and ledger.has_decided(connection, gone):
            people = sum(ledger.counts(connection, gone).values())
            raise NoClearance(
                f"Step {scope.step!r} of {plan.name!r} is new and {name!r} is gone: "
                f"if it was renamed, {people:,} people would be mailed again.",
                advice=f"If it was, add `renamed_from: {name}` to the step; otherwise give the loop a new name.",
            )
