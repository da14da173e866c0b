"""Reserve: decide about every member of a segment, write the decisions down, and cut the batches.

One page of members is one transaction: its facts are read, a pure function decides each, and the decisions and
batches are written together. The unique key of skene_sends is what keeps two runs from mailing one user twice;
whoever comes second reads the page again and finds it decided.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import Connection, Engine, Row
from sqlalchemy.exc import IntegrityError
from typing_extensions import assert_never

from skene_dagster.delivery import ledger, modes
from skene_dagster.delivery.decide import eligibility
from skene_dagster.delivery.decide.eligibility import Decision, Defer, Mail, Skip
from skene_dagster.delivery.decide.send_audience import PAGE, MemberDecision, SendAudience
from skene_dagster.delivery.ledger import Scope
from skene_dagster.delivery.model import NewSend
from skene_dagster.delivery.modes import Mode
from skene_dagster.errors import NoClearance
from skene_dagster.loops.plan import LoopPlan, StepPlan
from skene_dagster.segments import clearance, members
from skene_dagster.settings import Settings
from skene_dagster.store.engine import CLOCKS_DIFFER, Clock, clocks, reading, transaction

OUTBOX = "set another SKENE_ENV than production, and no SKENE_REDIRECT_TO."
"""How no email leaves."""


@dataclass(frozen=True)
class Reserved:
    """What a run decided: how many by outcome (`mail`, `skipped:once`, `deferred:repeat`), and its batches."""

    counts: dict[str, int]
    batches: int


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
    """Decide about every member of the step's segment as of this tick. Idempotent: what is decided stays.

    Args:
        progress: is told how many members of each page were decided.
        page: members per transaction.
        batch: messages per batch; as many as the step's provider takes where it is left out.

    Raises:
        NoClearance: the segment was not refreshed at this as_of, as_of is not now while emails would leave, or the
            step is new while another of this loop is gone.
        StoreError: the database refused.
    """
    assert step.email is not None
    size = batch or modes.terms(mode.name, step.email.provider).batch_limit
    audience = SendAudience(plan, step, settings, mode, as_of, page)
    _refuse_other_times(mode, settings, as_of, clock())
    reading(engine, lambda connection: _refuse_a_renamed_step(connection, plan, audience.scope))
    awaits_approval = audience.is_a_large_first_one(engine)

    def decide_page(connection: Connection, after: Row[Any] | None) -> _Page:
        cleared = clearance.require(connection, audience.segment, as_of, "nothing is sent")
        rows = audience.page(connection, after)
        if not rows:
            return _Page(None, {}, 0)
        rules = audience.rules(connection, cleared.first_as_of, clock(), awaits_approval=awaits_approval)
        decided = audience.decide(connection, rows, rules)
        sends = [_new_send(one) for one in decided if _is_new(one)]
        cut = ledger.decide(connection, audience.scope, sends, as_of=as_of, now=clock(), size=size)
        return _Page(rows[-1], count(one.decision for one in decided), cut)

    counts: dict[str, int] = {}
    cut = 0
    last: Row[Any] | None = None
    while (done := _read_again_when_overtaken(engine, partial(decide_page, after=last), page)).last is not None:
        last = done.last
        cut += done.batches
        for outcome, n in done.counts.items():
            counts[outcome] = counts.get(outcome, 0) + n
        progress(sum(done.counts.values()))
    return Reserved(counts, cut)


@dataclass(frozen=True)
class _Page:
    """What was decided about one page; `last` is its last row, None where there was none left."""

    last: Row[Any] | None
    counts: dict[str, int]
    batches: int


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


def _refuse_a_renamed_step(connection: Connection, plan: LoopPlan, scope: Scope) -> None:
    """A step that is new while another is gone may be a renamed one: everybody would be mailed again."""
    if ledger.has_sends(connection, scope):
        return
    present = {step.name for step in plan.steps}
    for name in members.steps_of(connection, plan.name):
        gone = Scope(scope.mode, scope.loop, name)
        if name not in present and ledger.has_sends(connection, gone):
            people = sum(ledger.counts(connection, gone).values())
            raise NoClearance(
                f"Step {scope.step!r} of {plan.name!r} is new and {name!r} is gone: "
                f"if it was renamed, {people:,} people would be mailed again.",
                advice=f"Give the step its old name {name!r} back, or give the loop a new name.",
            )


def _is_new(one: MemberDecision) -> bool:
    match one.decision:
        case eligibility.AlreadyDecided():
            return False
        case Defer(reason=reason):
            return one.past is None or one.past.state != "deferred" or one.past.reason != reason
        case Mail() | Skip():
            return True
        case _:
            assert_never(one.decision)


def _new_send(one: MemberDecision) -> NewSend:
    decision = one.decision
    assert not isinstance(decision, eligibility.AlreadyDecided)
    was_deferred = one.past is not None and one.past.state == "deferred"
    match decision:
        case Mail(occurrence=occurrence):
            return NewSend(one.user_id, str(occurrence), "reserved", None, was_deferred)
        case Skip(occurrence=occurrence, reason=reason):
            return NewSend(one.user_id, str(occurrence), "skipped", reason, was_deferred)
        case Defer(occurrence=occurrence, reason=reason):
            return NewSend(one.user_id, str(occurrence), "deferred", reason, was_deferred)
        case _:
            assert_never(decision)


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
            case eligibility.AlreadyDecided():
                outcome = "decided_before"
            case _:
                assert_never(decision)
        counted[outcome] = counted.get(outcome, 0) + 1
    return counted
