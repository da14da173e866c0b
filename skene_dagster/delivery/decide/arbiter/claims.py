"""Which loops share the emails of a day: what each may need, and whether it will still tick on it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from functools import lru_cache

from sqlalchemy import Connection

from skene_dagster.delivery import controls, ledger
from skene_dagster.delivery.decide.arbiter.split import Claim
from skene_dagster.delivery.ledger import PlannedEmails, StepProgress
from skene_dagster.loops.plan import LoopPlan, StepPlan
from skene_dagster.loops.triggers import Manual, Schedule
from skene_dagster.settings import Settings
from skene_dagster.ticks import last_tick

LOOKED_BACK = timedelta(days=7)
"""How far back a loop's busiest day is looked for, which it is expected to have again."""

LATE = timedelta(hours=1)
"""How long after a tick its run is still expected."""

_AN_INSTANT = timedelta(microseconds=1)
_A_DAY = timedelta(days=1)
_ASKED_FOR = ":asked for"
"""What ends the name of a claim for emails that their recipients asked for; no loop is called so."""


@dataclass(frozen=True)
class Claimant:
    """The emails of a loop from a domain that share a day's, marketing or asked for, and the steps that send them."""

    claim: Claim
    domain: str
    plan: LoopPlan
    steps: tuple[StepPlan, ...]

    @property
    def scopes(self) -> list[tuple[str, str]]:
        """Name its steps as the ledger does."""
        return [(self.plan.name, step.ledger_name) for step in self.steps]

    def ticks_on(self, day: date) -> bool:
        """Whether any of its steps runs on a day, or may."""
        return any(_may_run(self.plan, step, day) for step in self.steps)

    def is_to_come(self, day: date, at: datetime, progress: Mapping[tuple[str, str], StepProgress]) -> bool:
        """Whether any of its steps will still decide on a day about emails; a run that is late for an hour will not."""
        return any(self._is_to_come(step, day, at, progress) for step in self.steps)

    def _is_to_come(
        self, step: StepPlan, day: date, at: datetime, progress: Mapping[tuple[str, str], StepProgress]
    ) -> bool:
        trigger = self.plan.root_of(step).trigger
        if not _may_run(self.plan, step, day) or not isinstance(trigger, Schedule) or day > at.date():
            return _may_run(self.plan, step, day)
        last = _last_on(trigger, day)
        known = progress.get((self.plan.name, step.ledger_name))
        is_done = known is not None and known.reserved_as_of is not None and known.reserved_as_of >= last
        return last > at - LATE and not is_done


def name_of(plan: LoopPlan, step: StepPlan) -> str:
    """Name the claim that a step's emails belong to."""
    assert step.email is not None
    return plan.name + (_ASKED_FOR if step.email.transactional else "")


def claimants(
    connection: Connection | None,
    mode: str,
    mine: LoopPlan,
    others: Sequence[LoopPlan],
    settings: Settings,
    at: datetime,
) -> list[Claimant]:
    """List who shares the emails of the days from a moment on: the loop that asks, and others that may mail somebody.

    Args:
        connection: None: there is no table of ours yet, so nobody has planned or ordered anything.
    """
    today = at.date()
    before = ledger.planned_since(connection, mode, today - LOOKED_BACK) if connection is not None else []
    most = ledger.busiest([one for one in before if one.day < today])
    waiting = ledger.waiting_for_room(connection, mode) if connection is not None else {}
    progress = ledger.progress_of_steps(connection, mode) if connection is not None else {}
    found = []
    for plan in (mine, *others):
        # What holds the loop that asks, it is about to find out.
        for domain, steps in _kinds(None if plan is mine else connection, plan, progress, settings):
            email, scopes = steps[0].email, [(plan.name, step.ledger_name) for step in steps]
            assert email is not None
            is_known = all(scope in progress and progress[scope].reserved_as_of is not None for scope in scopes)
            expected = sum(most.get(scope, 0) + waiting.get(scope, 0) for scope in scopes) if is_known else None
            claim = Claim(name_of(plan, steps[0]), None if email.transactional else plan.priority, expected)
            found.append(Claimant(claim, domain, plan, steps))
    return found


def whatever_the_sender(claimants: Sequence[Claimant]) -> list[Claimant]:
    """Put the claims of a loop whose steps write from several domains together again."""
    found: dict[str, Claimant] = {}
    for one in claimants:
        before = found.setdefault(one.claim.name, one)
        if before is not one:
            parts = (before.claim.expected, one.claim.expected)
            claim = replace(before.claim, expected=None if None in parts else sum(part or 0 for part in parts))
            found[claim.name] = replace(before, claim=claim, steps=(*before.steps, *one.steps))
    return list(found.values())


def _kinds(
    connection: Connection | None,
    plan: LoopPlan,
    progress: Mapping[tuple[str, str], StepProgress],
    settings: Settings,
) -> Iterator[tuple[str, tuple[StepPlan, ...]]]:
    """Part the steps that may mail by whether it was asked for, and from which domain."""
    found: dict[tuple[bool, str], list[StepPlan]] = {}
    for step in plan.steps:
        email = step.email
        if email is not None and _may_mail(connection, plan, step, progress):
            kind = email.transactional, settings.domain_of(email.topic, email.sender)
            found.setdefault(kind, []).append(step)
    for (_, domain), steps in sorted(found.items(), key=lambda kind: kind[0]):
        yield domain, tuple(steps)


def _may_mail(
    connection: Connection | None, plan: LoopPlan, step: StepPlan, progress: Mapping[tuple[str, str], StepProgress]
) -> bool:
    if connection is None:
        return True
    orders = controls.orders(connection, plan.name, step.ledger_name)
    known = progress.get((plan.name, step.ledger_name))
    return not orders.paused and (known is None or not known.held_by(approved=orders.approved))


def planned_by(claimants: Sequence[Claimant], emails: Sequence[PlannedEmails]) -> dict[str, int]:
    """Count emails by claim; those that belong to none by their loop."""
    names = {scope: one.claim.name for one in claimants for scope in one.scopes}
    counted: dict[str, int] = {}
    for one in emails:
        name = names.get((one.loop, one.step), f"{one.loop}:{one.step}")
        counted[name] = counted.get(name, 0) + one.emails
    return counted


def _may_run(plan: LoopPlan, step: StepPlan, day: date) -> bool:
    trigger = plan.root_of(step).trigger
    if isinstance(trigger, Schedule):
        return _last_on(trigger, day) >= datetime.combine(day, time())
    # What the product does starts the others, at any time; a person, nobody knows when.
    return not isinstance(trigger, Manual)


@lru_cache(maxsize=1024)
def _last_on(schedule: Schedule, day: date) -> datetime:
    """Return the last tick of a day, or the one before where it has none."""
    return last_tick(schedule, datetime.combine(day, time()) + _A_DAY - _AN_INSTANT)
