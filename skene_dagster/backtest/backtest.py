"""A backtest: a loop replayed, and what of it a marketer asks about."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection, inspect

from skene_dagster.backtest.model import Backtest, Overlap, StepReplay
from skene_dagster.backtest.replay import Replay
from skene_dagster.delivery.decide.arbiter.budget import has_budget
from skene_dagster.delivery.decide.gates.rehearsing import is_whole
from skene_dagster.delivery.ledger.looking_back import decisions
from skene_dagster.delivery.ledger.scope import StepScope, scope_of
from skene_dagster.delivery.model import Contact
from skene_dagster.delivery.modes import Mode
from skene_dagster.loops.plan import LoopPlan
from skene_dagster.settings import Settings
from skene_dagster.store.tables import arms, contacts

A_WEEK = timedelta(days=7)


def backtest(
    connection: Connection,
    plan: LoopPlan,
    loops: Sequence[LoopPlan],
    settings: Settings,
    mode: Mode,
    since: datetime,
    until: datetime,
    progress: Callable[[str], None] = lambda _: None,
) -> Backtest:
    """Replay a loop as its file is now over past days.

    Args:
        loops: those of the project; an email that its recipient asked for counts for no cap.
        progress: is told at which tick it is.

    Raises:
        NotCounted: a condition asks for what is not counted.
        QueryRejected, StoreError: a condition cannot be evaluated.
    """
    others = _others(connection, plan, loops, mode, since)
    steps = Replay(connection, plan, settings, mode, since, until, others, progress).run()
    ours = _ticks(steps)
    theirs = decisions.mails_of(connection, others, list(ours), after=since - A_WEEK, until=until + A_WEEK)
    within = {
        key: sum(since <= one.as_of <= until for one in contacts) for key, contacts in theirs.items() if key in ours
    }
    with_all = [len(ticks) + within.get(key, 0) for key, ticks in ours.items()]
    mails = sum(len(ticks) for ticks in ours.values())
    return Backtest(
        plan.name,
        mode.name,
        since,
        until,
        plan.holdout,
        steps,
        _overlaps(ours, theirs),
        mails / len(ours) if ours else 0.0,
        max((len(ticks) for ticks in ours.values()), default=0),
        sum(with_all) / len(ours) if ours else 0.0,
        max(with_all, default=0),
        frozenset(_really_mailed(connection, plan, mode, list(ours), since, until)),
        is_whole(connection, arms),
        _notes(plan, loops, settings),
    )


def replayed(
    connection: Connection,
    plan: LoopPlan,
    loops: Sequence[LoopPlan],
    settings: Settings,
    mode: Mode,
    since: datetime,
    until: datetime,
    *,
    other_conditions: frozenset[str],
) -> list[StepReplay]:
    """Replay a loop of another version than ran, and say what its steps would have done.

    Args:
        other_conditions: the steps that select others than they did.

    Raises:
        NotCounted, QueryRejected, StoreError: as `backtest` does.
    """
    others = _others(connection, plan, loops, mode, since)
    about = (connection, plan, settings, mode, since, until, others)
    return Replay(*about, other_conditions=other_conditions).run()


def _others(
    connection: Connection, plan: LoopPlan, loops: Sequence[LoopPlan], mode: Mode, since: datetime
) -> list[StepScope]:
    """List the steps of other loops whose emails count for caps."""
    if not inspect(connection).has_table(contacts.name):
        return []
    asked_for = {
        (one.name, step.ledger_name)
        for one in loops
        for step in one.steps
        if step.email is not None and step.email.transactional
    }
    mailed = decisions.steps_that_mailed(connection, mode.name, since=since - A_WEEK)
    return [one for one in mailed if one.loop != plan.name and (one.loop, one.step) not in asked_for]


def _really_mailed(
    connection: Connection, plan: LoopPlan, mode: Mode, keys: Sequence[object], since: datetime, until: datetime
) -> set[object]:
    if not inspect(connection).has_table(contacts.name):
        return set()
    mine = [scope_of(mode.name, plan, step) for step in plan.steps if step.email is not None]
    return set(decisions.mails_of(connection, mine, keys, after=since - A_WEEK, until=until + A_WEEK))


def _ticks(steps: Sequence[StepReplay]) -> dict[object, list[datetime]]:
    found: dict[object, list[datetime]] = {}
    for one in steps:
        for key, ticks in one.mailed.items():
            found.setdefault(key, []).extend(ticks)
    return found


def _overlaps(
    ours: Mapping[object, Sequence[datetime]], theirs: Mapping[object, Sequence[Contact]]
) -> tuple[Overlap, ...]:
    people: dict[str, set[object]] = {}
    for key, had in theirs.items():
        for one in had:
            if any(abs(one.as_of - tick) <= A_WEEK for tick in ours.get(key, ())):
                people.setdefault(one.loop, set()).add(key)
    found = [Overlap(loop, len(keys)) for loop, keys in people.items()]
    return tuple(sorted(found, key=lambda one: (-one.people, one.loop)))


def _notes(plan: LoopPlan, loops: Sequence[LoopPlan], settings: Settings) -> tuple[str, ...]:
    """Name what reserve would look at and a replay cannot know of past days."""
    emails = [step.email for step in plan.steps if step.email is not None]
    marketing = [email for email in emails if not email.transactional]
    notes = ["addresses, plans and “no”s: as they are today"]
    if any(has_budget(settings, email) for email in marketing):
        notes.append("the budget of a day: not replayed, so some would have waited")
    if settings.limits.caps and marketing and any(one.priority > plan.priority for one in loops):
        notes.append("last places left to loops of higher priority: not replayed")
    if plan.goals:
        notes.append("who had reached the goal before their mail: by days")
    notes.append("pauses, gates and approvals: not replayed")
    if any(step.sets_what_it_reads for step in plan.steps):
        notes.append("what `set` would have written: not replayed")
    notes.append("what the mail itself would have changed: not replayed")
    return tuple(notes)
