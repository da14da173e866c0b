"""The numbers of the report, counted by the database."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta

from sqlalchemy import Connection, Engine

from skene_dagster.delivery.ledger import ReceiptCounts
from skene_dagster.delivery.ledger.health import Decisions, decided_since, examples_of, waiting_by_step
from skene_dagster.delivery.ledger.receipt_counts import counted_by_day
from skene_dagster.incidents import now as wrong
from skene_dagster.incidents.now import Found
from skene_dagster.incidents.problems import Problem
from skene_dagster.loops.plan import LoopPlan, StepPlan, segment_name
from skene_dagster.outcomes.comparisons import LoopOutcome, outcomes_of
from skene_dagster.project import Project
from skene_dagster.report import arrived
from skene_dagster.report.mails.looks import Looks, looks_of
from skene_dagster.segments import members
from skene_dagster.segments.conditions import subject
from skene_dagster.settings import Settings
from skene_dagster.store.engine import Clock, reading
from skene_dagster.versions import history
from skene_dagster.versions.history import Version

DAYS = 28
"""Whole weeks, so that weekdays weigh alike."""

EXAMPLES = 5
"""Users who are named for a reason."""


@dataclass(frozen=True)
class StepNumbers:
    """A step, in the last days."""

    step: StepPlan
    inside: int
    came: int
    """Who entered; of a step that rows trigger, the rows that were decided."""
    left: int
    decided: Mapping[str, int]
    """By outcome: `mailed`, `held_out`, or the reason why somebody got nothing."""
    waiting: Mapping[str, int]
    """Who is decided again later, by reason."""

    @property
    def mailed(self) -> int:
        return self.decided.get("mailed", 0)

    @property
    def held_out(self) -> int:
        return self.decided.get("held_out", 0)

    @property
    def got_nothing(self) -> Mapping[str, int]:
        """Why nobody was mailed, by reason."""
        return {reason: n for reason, n in self.decided.items() if reason not in {"mailed", "held_out"}}


@dataclass(frozen=True)
class LoopNumbers:
    """A loop, in the last days."""

    plan: LoopPlan
    steps: Sequence[StepNumbers]
    came_back: ReceiptCounts
    outcomes: Sequence[LoopOutcome]

    def total(self, name: str) -> int:
        """Sum a number over the steps."""
        return sum(getattr(step, name) for step in self.steps)

    @property
    def waiting(self) -> int:
        """Who is decided again later."""
        return sum(sum(step.waiting.values()) for step in self.steps)

    @property
    def got_nothing(self) -> Mapping[str, int]:
        """Why nobody was mailed, by reason."""
        return sum((Counter(step.got_nothing) for step in self.steps), Counter())


@dataclass(frozen=True)
class Numbers:
    """All of the report."""

    as_of: datetime
    mode: str
    problems: Sequence[Problem]
    loops: Sequence[LoopNumbers]
    emails: Mapping[tuple[str, date], int]
    """By loop, and the day of their tick."""
    examples: Mapping[tuple[str, str], Sequence[object]] = field(default_factory=dict)
    """Some users by loop and reason."""
    looks: Looks = field(default_factory=dict)
    days: Mapping[tuple[str, date], ReceiptCounts] = field(default_factory=dict)
    """What became of the emails, by loop and the day on which they were accepted."""
    domains: Sequence[arrived.Row] = ()
    versions: Sequence[Version] = ()

    @property
    def since(self) -> datetime:
        """From when on is counted."""
        return self.as_of - timedelta(days=DAYS)


def read(engine: Engine, settings: Settings, project: Project, mode: str, clock: Clock) -> Numbers:
    """Count all of it; it measures nothing and writes nothing.

    Raises:
        StoreError: the database refused.
    """
    found, now = Found(), clock()
    wrong.on_this_machine(found, settings, [broken.file for broken in project.broken])
    wrong.in_the_database(found, engine, settings, project.loops, mode, clock)
    if found.failed:
        raise found.failed[0]

    def count(connection: Connection) -> Numbers:
        counted = _count(connection, project.loops, mode, now, found.problems)
        return replace(
            counted,
            looks=looks_of(connection, project.loops, settings, mode, now),
            domains=arrived.by_domain(connection, project.loops, mode, counted.since),
            versions=history.read(connection, counted.since, {plan.name for plan in project.loops}),
        )

    return reading(engine, count)


def _count(
    connection: Connection, plans: Sequence[LoopPlan], mode: str, now: datetime, problems: Sequence[Problem]
) -> Numbers:
    since = now - timedelta(days=DAYS)
    decided = decided_since(connection, mode, since)
    waiting = waiting_by_step(connection, mode)
    by_day = counted_by_day(connection, mode, since.date())
    loops = [
        LoopNumbers(
            plan,
            [_step(connection, plan, step, decided, waiting, since) for step in plan.steps],
            _sum([counts for (loop, _), counts in by_day.items() if loop == plan.name]),
            outcomes_of(connection, plan, mode, as_of=now),
        )
        for plan in plans
    ]
    emails: Counter[tuple[str, date]] = Counter()
    for one in decided:
        if _outcome(one) == "mailed":
            emails[one.loop, one.day] += one.number
    days = {key: counts for key, counts in by_day.items() if key[0] in {plan.name for plan in plans}}
    return Numbers(now, mode, problems, loops, emails, _examples(connection, mode, decided, since), days=days)


def _step(
    connection: Connection,
    plan: LoopPlan,
    step: StepPlan,
    decided: Sequence[Decisions],
    waiting: Mapping[tuple[str, str, str], int],
    since: datetime,
) -> StepNumbers:
    mine = plan.name, step.ledger_name
    outcomes: Counter[str] = Counter()
    for one in decided:
        if (one.loop, one.step) == mine:
            outcomes[_outcome(one)] += one.number
    waits = {reason: n for (loop, name, reason), n in waiting.items() if (loop, name) == mine}
    came, left, inside = outcomes.total(), 0, 0
    if not step.by_row:
        segment = segment_name(*mine)
        came, left, inside = members.moved_since(connection, segment, since, subject(step))
    return StepNumbers(step, inside, came, left, outcomes, waits)


def _outcome(one: Decisions) -> str:
    match one.state:
        case "accepted" | "reserved" | "in_doubt":
            return "mailed"
        case "held_out":
            return "held_out"
        case _:
            return one.reason or one.state


def _sum(counts: Sequence[ReceiptCounts]) -> ReceiptCounts:
    names = ReceiptCounts.__dataclass_fields__
    return ReceiptCounts(**{name: sum(getattr(one, name) for one in counts) for name in names})


def _examples(
    connection: Connection, mode: str, decided: Sequence[Decisions], since: datetime
) -> dict[tuple[str, str], Sequence[object]]:
    found: dict[tuple[str, str], Sequence[object]] = {}
    for one in decided:
        reason = _outcome(one)
        if reason not in {"mailed", "held_out"} and (one.loop, reason) not in found:
            found[one.loop, reason] = examples_of(connection, mode, one, since, EXAMPLES)
    return found
