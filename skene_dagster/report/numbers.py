"""The numbers of the report, counted by the database."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
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
from skene_dagster.report import arrived, coming, people, pressure
from skene_dagster.report.coming import Coming
from skene_dagster.report.mails.looks import Looks, looks_of
from skene_dagster.report.people import People
from skene_dagster.report.pressure import Pressure
from skene_dagster.segments import members
from skene_dagster.segments.conditions import subject as subject_of_step
from skene_dagster.settings import Settings
from skene_dagster.store.engine import Clock, reading
from skene_dagster.store.subjects import ACCOUNTS, USERS
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
    pressure: Pressure
    coming: Coming
    people: People | None
    """None: it is about one loop only."""
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


def read(
    engine: Engine, settings: Settings, project: Project, mode: str, clock: Clock, *, loop: str | None = None
) -> Numbers:
    """Count all of it; it measures nothing and writes nothing.

    Args:
        loop: only what is about this one.

    Raises:
        SettingsError: `users.mailable` cannot be used on this database.
        StoreError: the database refused.
    """
    found, now = Found(), clock()
    shown = [plan for plan in project.loops if loop in (None, plan.name)]
    wrong.on_this_machine(found, settings, [broken.file for broken in project.broken if loop is None])
    wrong.in_the_database(found, engine, settings, shown, mode, clock)
    if found.failed:
        raise found.failed[0]

    def count(connection: Connection) -> Numbers:
        since = now - timedelta(days=DAYS)
        decided = decided_since(connection, mode, since)
        waiting = waiting_by_step(connection, mode)
        by_day = counted_by_day(connection, mode, since.date())
        names = {plan.name for plan in shown}
        return Numbers(
            now,
            mode,
            found.problems,
            _loops(connection, shown, mode, now, decided, waiting, by_day),
            _emails(decided),
            pressure.read(connection, settings, project.loops, mode, now, waiting, loop),
            coming.read(connection, settings, shown, mode, now, decided),
            people.read(connection, settings, now, since) if loop is None else None,
            _examples(connection, mode, decided, since),
            looks_of(connection, shown, settings, mode, now),
            {key: counts for key, counts in by_day.items() if key[0] in names},
            arrived.by_domain(connection, shown, mode, since),
            history.read(connection, since, names),
        )

    return reading(engine, count)


def _loops(
    connection: Connection,
    plans: Sequence[LoopPlan],
    mode: str,
    now: datetime,
    decided: Sequence[Decisions],
    waiting: Mapping[tuple[str, str, str], int],
    by_day: Mapping[tuple[str, date], ReceiptCounts],
) -> list[LoopNumbers]:
    since = now - timedelta(days=DAYS)
    moved: dict[str, tuple[int, int, int]] = {}
    for subject in (USERS, ACCOUNTS):
        names = [
            segment_name(plan.name, step.ledger_name)
            for plan in plans
            for step in plan.steps
            if not step.by_row and subject_of_step(step) is subject
        ]
        moved |= members.moved_since(connection, names, since, subject) if names else {}
    return [
        LoopNumbers(
            plan,
            [_step(plan, step, decided, waiting, moved) for step in plan.steps],
            _sum([counts for (loop, _), counts in by_day.items() if loop == plan.name]),
            outcomes_of(connection, plan, mode, as_of=now),
        )
        for plan in plans
    ]


def _emails(decided: Sequence[Decisions]) -> Mapping[tuple[str, date], int]:
    emails: Counter[tuple[str, date]] = Counter()
    for one in decided:
        if _outcome(one) == "mailed":
            emails[one.loop, one.day] += one.number
    return emails


def _step(
    plan: LoopPlan,
    step: StepPlan,
    decided: Sequence[Decisions],
    waiting: Mapping[tuple[str, str, str], int],
    moved: Mapping[str, tuple[int, int, int]],
) -> StepNumbers:
    mine = plan.name, step.ledger_name
    outcomes: Counter[str] = Counter()
    for one in decided:
        if (one.loop, one.step) == mine:
            outcomes[_outcome(one)] += one.number
    waits = {reason: n for (loop, name, reason), n in waiting.items() if (loop, name) == mine}
    by_row = outcomes.total(), 0, 0
    came, left, inside = by_row if step.by_row else moved.get(segment_name(*mine), (0, 0, 0))
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
    grouped: dict[tuple[str, str], list[Decisions]] = defaultdict(list)
    for one in decided:
        if _outcome(one) not in {"mailed", "held_out"}:
            grouped[one.loop, _outcome(one)].append(one)
    found: dict[tuple[str, str], Sequence[object]] = {}
    for name, same in grouped.items():
        # Those of several days are enough, mostly: looking for others reads all that was decided in a step.
        known = {user for one in same for user in one.some}
        most = max(same, key=lambda one: one.number)
        if len(known) < min(EXAMPLES, sum(one.number for one in same)):
            known |= set(examples_of(connection, mode, most, since, EXAMPLES))
        found[name] = sorted(known)[:EXAMPLES]  # type: ignore[type-var]  # of one type, that of the users key
    return found
