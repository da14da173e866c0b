"""Reserve: decide about whoever is new to a step, and whoever is due again; write it down, and cut the batches.

One page of users is one transaction: its facts are read, a pure function decides each, and the decisions and batches
are written together. The step's row in skene_steps lets one run at a time decide about it; what keeps two from mailing
one user twice, whatever happens, is the unique key of skene_sends: whoever comes second reads the page again.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import IntegrityError
from typing_extensions import assert_never

from skene_dagster.consent.spool.draining import drain
from skene_dagster.consent.spool.spool import Spool
from skene_dagster.delivery import controls, ledger, modes
from skene_dagster.delivery.decide import first_wave
from skene_dagster.delivery.decide.accounts.deciding import refuse_another_subject
from skene_dagster.delivery.decide.candidates import Candidate, CandidateDecision
from skene_dagster.delivery.decide.eligibility import AlreadyDecided, Decision, Defer, Mail, Skip
from skene_dagster.delivery.decide.gates import judging, looking
from skene_dagster.delivery.decide.gates.judging import Gate
from skene_dagster.delivery.decide.send_audience import PAGE, SendAudience
from skene_dagster.delivery.ledger import StepProgress, StepScope
from skene_dagster.delivery.model import (
    GateName,
    HoldReason,
    NewContact,
    NewDecisions,
    NewDeferral,
    NewSend,
    Waiting,
)
from skene_dagster.delivery.modes import Mode
from skene_dagster.errors import NoClearance
from skene_dagster.loops.plan import LoopPlan, StepPlan
from skene_dagster.segments import clearance, members
from skene_dagster.settings import Settings
from skene_dagster.store.engine import CLOCKS_DIFFER, Clock, clocks, reading, transaction

OUTBOX = "set another SKENE_ENV than production, and no SKENE_REDIRECT_TO."
"""How no email leaves."""


@dataclass(frozen=True)
class Hold:
    """Why nobody of a step is decided about."""

    reason: HoldReason
    said: Mapping[GateName, str]
    """What each gate says that holds it; empty where a person has paused it."""


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
    progress: Callable[[int], None] = lambda _: None,
    page: int = PAGE,
    batch: int | None = None,
) -> Reserved:
    """Decide about all who are new to the step by this tick, and all who are due. Idempotent: what is decided stays.

    Args:
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
    size = batch or modes.terms(mode.name, step.email.provider).batch_limit
    audience = SendAudience(plan, step, settings, mode, as_of, page)
    now = clock()
    _refuse_other_times(mode, settings, as_of, now)
    reading(engine, lambda connection: _refuse_a_renamed_step(connection, plan, audience.scope))
    decided_up_to = _begin(engine, audience.scope, audience.digest, as_of).reserved_as_of
    gates = looking.look(audience, engine, decided_up_to, now)
    if audience.is_capped:
        _begin(engine, ledger.all_loops(mode.name), "", as_of)

    def decide_page(connection: Connection, find: _Find, after: Candidate | None, *, are_new: bool) -> _Page:
        ledger.lock(connection, audience.scope)
        cleared = clearance.require(connection, audience.segment, as_of, "nothing is sent")
        since = audience.since(decided_up_to, cleared.first_as_of)
        rules = audience.rules(connection, cleared.first_as_of, clock())
        hold = _hold(connection, audience, gates, rules.hold)
        if hold is not None:
            ledger.hold(connection, audience.scope, hold.reason, since, hold.said)
            return _Page([], 0, hold=hold)
        candidates = find(connection, since, after)
        if not candidates:
            if are_new:
                ledger.complete(connection, audience.scope, as_of, decided_up_to)
            return _Page([], 0)
        # A page that is overtaken is decided again.
        slices = None if wave is None else replace(wave)
        decided = audience.decide(connection, candidates, rules, clock(), in_order=are_new, alone=True, slices=slices)
        return _Page(decided, _write(connection, audience, decided, clock(), size))

    wave = first_wave.slices(audience, engine, decided_up_to, now)
    counts = Counter(reading(engine, audience.there_at_start) if decided_up_to is None else {})
    batches, hold = 0, None

    def due(connection: Connection, _since: datetime | None, _after: Candidate | None) -> list[Candidate]:
        return audience.due(connection)

    # Whoever has waited comes first. Whoever is new comes in the order of their keys, and completes the step.
    finds: tuple[tuple[_Find, bool], ...] = ((due, False), (audience.entered, True))
    for find, are_new in finds:
        decide_next = partial(decide_page, find=find, are_new=are_new)
        last: Candidate | None = None
        while hold is None:
            # What recipients said while the database was away is heard before anybody is decided about.
            drain(engine, spool, clock)
            done = _read_again_when_overtaken(engine, partial(decide_next, after=last), page)
            hold = done.hold
            if not done.decided:
                break
            last = done.decided[-1].candidate
            batches += done.batches
            counts.update(count(one.decision for one in done.decided))
            if wave is not None:
                wave.decided += sum(one.emails for one in done.decided)
            progress(len(done.decided))
    if hold is not None:
        held = reading(engine, lambda connection: ledger.held(connection, audience.scope))
        counts.update({f"deferred:{reason}": n for reason, n in held.items()})
    measured = judging.decided(gates, counts["mail"]) if hold is None else tuple(gates)
    return Reserved(dict(counts), batches, measured, hold)


_Find = Callable[[Connection, datetime | None, Candidate | None], list[Candidate]]
"""Lists who is decided next, of those who entered after a tick, and behind the last one of the page before."""


@dataclass(frozen=True)
class _Page:
    """What was decided about one page; about nobody where there was none left, or nobody may be decided now."""

    decided: Sequence[CandidateDecision]
    batches: int
    hold: Hold | None = None


def _hold(
    connection: Connection, audience: SendAudience, gates: Sequence[Gate], ordered: HoldReason | None
) -> Hold | None:
    """Say what holds the step now: an order, or the gates that are shut and that nobody lets it pass."""
    if ordered is not None:
        return Hold(ordered, {})
    shut = [gate for gate in gates if gate.is_shut]
    if not shut:
        return None
    orders = controls.orders(connection, audience.plan.name, audience.step.ledger_name)
    known = ledger.progress(connection, audience.scope)
    accepted = known.accepted if known else frozenset[str]()
    left = [gate for gate in shut if not looking.is_let_through(gate, orders, accepted)]
    return Hold(left[0].name, judging.said(left)) if left else None


def _begin(engine: Engine, scope: StepScope, digest: str, as_of: datetime) -> StepProgress:
    def begin(connection: Connection) -> StepProgress:
        return ledger.begin(connection, scope, digest, as_of)

    try:
        return transaction(engine, begin, resolve=begin)
    except IntegrityError:
        # Another run has begun it at the same moment.
        return transaction(engine, begin, resolve=begin)


def _read_again_when_overtaken(engine: Engine, decide: Callable[[Connection], _Page], size: int) -> _Page:
    # Each round another run has decided at least one more member of the page: it ends.
    for _ in range(size):
        try:
            # Where the outcome of COMMIT is unknown, the page is read again and tells what was decided.
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


def _write(
    connection: Connection, audience: SendAudience, decided: Sequence[CandidateDecision], now: datetime, size: int
) -> int:
    """Write down what was decided about a page; return how many batches that makes."""
    scope, as_of = audience.scope, audience.as_of
    accounts = [one.account for one in decided if one.account is not None]
    ledger.decide_accounts(connection, scope, accounts, as_of=as_of, now=now)
    return ledger.decide(connection, scope, _new_decisions(decided), as_of=as_of, now=now, size=size)


def _new_decisions(decided: Sequence[CandidateDecision]) -> NewDecisions:
    """Say what is to be written down about a page."""
    sends: list[NewSend] = []
    contacts: list[NewContact] = []
    deferrals: list[NewDeferral] = []
    for one in decided:
        user_id = one.candidate.user_id
        if one.account is not None:
            sends += one.account.sends
            contacts += one.account.contacts
            if one.account.waiting is not None:
                deferrals.append(NewDeferral(user_id, one.account.waiting))
            continue
        match one.decision:
            case Mail(occurrence=occurrence, not_before=not_before):
                sends.append(NewSend(user_id, occurrence, "reserved", None, not_before))
                if one.recipient is not None:
                    contacts.append(NewContact(user_id, occurrence, one.recipient))
            case Skip(occurrence=occurrence, reason=reason):
                sends.append(NewSend(user_id, occurrence, "skipped", reason))
            case Defer(occurrence=occurrence, reason=why, ask_at=ask_at):
                deferrals.append(NewDeferral(user_id, Waiting(occurrence, why, ask_at)))
            case AlreadyDecided():
                pass
            case _:
                assert_never(one.decision)
    candidates = (one.candidate for one in decided)
    answered = [(one.user_id, one.waiting.occurrence) for one in candidates if one.waiting is not None]
    return NewDecisions(sends, deferrals, answered, contacts)


def count(decisions: Iterable[Decision]) -> dict[str, int]:
    """Count decisions by outcome, as `Reserved.counts` has them."""
    counted: dict[str, int] = {}
    for decision in decisions:
        match decision:
            case Mail():
                outcome = "mail"
            case Skip(reason=reason):
                outcome = f"skipped:{reason}"
            case Defer(reason=reason):
                outcome = f"deferred:{reason}"
            case AlreadyDecided():
                outcome = "decided_before"
            case _:
                assert_never(decision)
        counted[outcome] = counted.get(outcome, 0) + 1
    return counted
