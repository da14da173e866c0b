"""Reserve: decide about every member of a segment, write the decisions down, and cut the batches.

One page of members is one transaction: its facts are read, a pure function decides each, and the decisions and
batches are written together. The unique key of skene_sends is what keeps two runs from mailing one user twice;
whoever comes second reads the page again and finds it decided.
"""

import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import Connection, Engine, Row, delete, insert, select, tuple_
from sqlalchemy.exc import IntegrityError
from typing_extensions import assert_never

from skene_dagster.delivery import ledger
from skene_dagster.delivery.decide import eligibility
from skene_dagster.delivery.decide.eligibility import Decision, Defer, Mail, Skip
from skene_dagster.delivery.decide.send_audience import PAGE, MemberDecision, SendAudience
from skene_dagster.delivery.ledger import Scope
from skene_dagster.delivery.modes import Mode
from skene_dagster.errors import NoClearance
from skene_dagster.loops.plan import LoopPlan, StepPlan
from skene_dagster.segments import clearance, members
from skene_dagster.settings import Settings
from skene_dagster.store.engine import CLOCKS_DIFFER, Clock, clocks, reading, transaction
from skene_dagster.store.tables import batches, sends

BATCH = 100
"""Messages per batch: what Resend takes in one call."""


@dataclass(frozen=True)
class Reserved:
    """What a run decided: how many by outcome (`mail`, `skipped:once`, `deferred:repeat`), and its batches."""

    counts: dict[str, int]
    batches: int


def reserve(
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
    batch: int = BATCH,
) -> Reserved:
    """Decide about every member of the step's segment as of this tick. Idempotent: what is decided stays.

    Args:
        progress: is told how many members of each page were decided.
        page: members per transaction.
        batch: messages per batch.

    Raises:
        NoClearance: the segment was not refreshed at this as_of, as_of is not now while emails would leave, or the
            step is new while another of this loop is gone.
        StoreError: the database refused.
    """
    audience = SendAudience(plan, step, settings, mode, as_of, page)
    _refuse_other_times(mode, settings, as_of, clock())
    reading(engine, lambda connection: _refuse_a_renamed_step(connection, plan, audience.scope))
    awaits_approval = audience.is_a_large_first_one(engine)

    def decide_page(connection: Connection, after: Row[Any] | None) -> _Page:
        cleared = clearance.of(connection, audience.segment)
        if cleared is None or cleared.as_of != as_of:
            raise NoClearance(
                f"The segment {audience.segment} was not refreshed for {as_of:%Y-%m-%d %H:%M:%S} UTC; nothing is sent.",
                advice="Run the job, not this asset alone.",
            )
        rows = audience.page(connection, after)
        if not rows:
            return _Page(None, {}, 0)
        rules = audience.rules(connection, cleared.first_as_of, clock(), awaits_approval=awaits_approval)
        decided = audience.decide(connection, rows, rules)
        made = [one for one in decided if _is_new(one)]
        cut = _write(connection, audience.scope, made, as_of, clock(), batch)
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
            advice="Set the clocks right (NTP) and run it again. Simulated time is for the outbox: unset "
            "RESEND_API_KEY or SKENE_REDIRECT_TO.",
        )
    if mode.leaves and as_of < now - settings.limits.expires_after:
        raise NoClearance(
            f"The run is for {as_of:%Y-%m-%d %H:%M:%S} UTC, which is not now; its emails may not leave.",
            advice="Past and simulated time is for the outbox: unset RESEND_API_KEY or SKENE_REDIRECT_TO.",
        )


def _refuse_a_renamed_step(connection: Connection, plan: LoopPlan, scope: Scope) -> None:
    """A step that is new while another is gone may be a renamed one: everybody would be mailed again."""
    if _has_sends(connection, scope):
        return
    present = {step.name for step in plan.steps}
    for name in members.steps_of(connection, plan.name):
        gone = Scope(scope.mode, scope.loop, name)
        if name not in present and _has_sends(connection, gone):
            people = sum(ledger.counts(connection, gone).values())
            raise NoClearance(
                f"Step {scope.step!r} of {plan.name!r} is new and {name!r} is gone: "
                f"if it was renamed, {people:,} people would be mailed again.",
                advice=f"Give the step its old name {name!r} back, or give the loop a new name.",
            )


def _has_sends(connection: Connection, scope: Scope) -> bool:
    query = select(sends.c.state).where(ledger.sends_of(scope)).limit(1)
    return connection.execute(query).first() is not None


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


def _write(
    connection: Connection, scope: Scope, made: Sequence[MemberDecision], as_of: datetime, now: datetime, batch: int
) -> int:
    """Write the new decisions of a page and cut its batches; return how many batches."""
    _forget_deferred(connection, scope, made)
    mails = sum(isinstance(one.decision, Mail) for one in made)
    ids = [uuid.uuid4().hex for _ in range(-(-mails // batch))]
    rows: list[dict[str, object]] = []
    mail = 0
    for one in made:
        user_id, decision = one.user_id, one.decision
        assert not isinstance(decision, eligibility.AlreadyDecided)
        row: dict[str, object] = {
            "mode": scope.mode,
            "loop": scope.loop,
            "step": scope.step,
            "user_id": user_id,
            "occurrence": str(decision.occurrence),
            "send_id": ledger.send_id(scope, user_id, decision.occurrence),
            "state": "reserved",
            "reason": None,
            "as_of": as_of,
            "decided_at": now,
            "batch_id": None,
            "position": None,
        }
        if isinstance(decision, Mail):
            row |= {"batch_id": ids[mail // batch], "position": mail % batch}
            mail += 1
        else:
            row |= {
                "state": "skipped" if isinstance(decision, Skip) else "deferred",
                "reason": decision.reason,
            }
        rows.append(row)
    if rows:
        connection.execute(insert(sends), rows)
    if ids:
        connection.execute(
            insert(batches),
            [
                {
                    "batch_id": identity,
                    "mode": scope.mode,
                    "loop": scope.loop,
                    "step": scope.step,
                    "state": "reserved",
                    "size": min(batch, mails - number * batch),
                    "as_of": as_of,
                    "reserved_at": now,
                    "due_at": now,
                    "attempts": 0,
                }
                for number, identity in enumerate(ids)
            ],
        )
    return len(ids)


def _forget_deferred(connection: Connection, scope: Scope, made: Sequence[MemberDecision]) -> None:
    """Make room for new decisions where the last one was to ask again."""
    keys = [
        (one.user_id, str(one.decision.occurrence))
        for one in made
        if one.past is not None
        and one.past.state == "deferred"
        and not isinstance(one.decision, eligibility.AlreadyDecided)
    ]
    for start in range(0, len(keys), 1000):
        row = tuple_(sends.c.user_id, sends.c.occurrence).in_(keys[start : start + 1000])
        connection.execute(delete(sends).where(ledger.sends_of(scope), row, sends.c.state == "deferred"))


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
