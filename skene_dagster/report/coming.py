"""The coming days: the emails that are known of already, what waits and for what, and when steps run next."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Literal

from sqlalchemy import Connection

from skene_dagster.delivery import controls, ledger
from skene_dagster.delivery.controls import Orders
from skene_dagster.delivery.decide.gates.judging import way_on
from skene_dagster.delivery.ledger import StepProgress, scope_of
from skene_dagster.delivery.ledger.decisions.deferring import UNMADE
from skene_dagster.delivery.ledger.health import Ahead, AskedAgain, Decisions, asked_again, emails_ahead
from skene_dagster.delivery.model import GateName
from skene_dagster.explain.reasons import REASONS
from skene_dagster.loops.plan import LoopPlan, StepPlan
from skene_dagster.loops.times.calendar_days import later
from skene_dagster.loops.triggers import After, Schedule
from skene_dagster.settings import Settings
from skene_dagster.store.subjects import ACCOUNTS, USERS
from skene_dagster.ticks import last_tick, next_tick
from skene_dagster.wording import how_many, in_words

DAYS = 7

A_DAY, AN_INSTANT = timedelta(days=1), timedelta(microseconds=1)

Kind = Literal["decided", "asked again", "follows"]
"""`decided`: on their way, or waiting for their hour; of the others each gets an email at most."""

_MENDED_FIRST = frozenset({*UNMADE, "not_mailable", "no_recipient"})
"""Reasons to wait that no time cures."""

StepName = tuple[str, str]


@dataclass(frozen=True)
class Line:
    """What is known of a loop."""

    loop: str
    kind: Kind
    days: tuple[int, ...]
    """Emails on each of the days."""
    at_next_run: int
    """Of a loop without a schedule: nobody knows when it runs."""

    @property
    def total(self) -> int:
        """All of them."""
        return sum(self.days) + self.at_next_run


@dataclass(frozen=True)
class Waits:
    """What waits, and what a person may do."""

    loop: str
    said: str
    to_do: str = ""


@dataclass(frozen=True)
class NextTick:
    """When a step decides again; None: something else than a clock says so."""

    loop: str
    step: StepPlan
    at: datetime | None


@dataclass(frozen=True)
class Coming:
    """What is known of the coming days."""

    days: tuple[date, ...]
    lines: Sequence[Line]
    waits: Sequence[Waits]
    ticks: Sequence[NextTick]
    daily: int | None
    """The most emails that all loops together plan for a day."""
    planned: tuple[int, ...]
    """How many they have planned for each."""

    def of_kind(self, kind: Kind) -> list[int]:
        """Sum what all loops have of a kind on each day."""
        return [sum(one.days[n] for one in self.lines if one.kind == kind) for n in range(len(self.days))]


@dataclass
class _Counting:
    """What is found, while it is counted."""

    days: tuple[date, ...]
    dated: dict[tuple[str, Kind], Counter[date]] = field(default_factory=lambda: defaultdict(Counter))
    undated: Counter[tuple[str, Kind]] = field(default_factory=Counter)
    waits: list[Waits] = field(default_factory=list)

    def lines(self) -> list[Line]:
        found = {*self.dated, *self.undated}
        lines = [
            Line(loop, kind, tuple(self.dated[loop, kind][day] for day in self.days), self.undated[loop, kind])
            for loop, kind in sorted(found)
        ]
        return [one for one in lines if one.total]


def read(
    connection: Connection,
    settings: Settings,
    plans: Sequence[LoopPlan],
    mode: str,
    now: datetime,
    decided: Sequence[Decisions],
) -> Coming:
    """Read what is known.

    Args:
        decided: what was decided in the last weeks, for steps that follow others.
    """
    days = tuple(now.date() + n * A_DAY for n in range(DAYS))
    steps = {(plan.name, step.ledger_name): (plan, step) for plan in plans for step in plan.steps if step.email}
    orders, progress = controls.orders_of_steps(connection, list(steps)), ledger.progress_of_steps(connection, mode)
    found = _Counting(days)
    held = {name for name in steps if orders[name].paused or _held_by(progress.get(name), orders[name])}
    _decided(found, connection, mode, now, orders)
    again = _asked_again(connection, mode, now, steps, days)
    _count_again(found, again, steps, held)
    for (loop, _), (plan, step) in steps.items():
        if isinstance(step.trigger, After) and (loop, step.ledger_name) not in held:
            _follow(found, plan, step, decided, now)
    for name, (plan, step) in steps.items():
        if name in held:
            waiting = sum(one.number for one, _ in again if (one.loop, one.step) == name)
            waiting += sum(ledger.held(connection, scope_of(mode, plan, step)).values())
            found.waits += _held(plan, step, orders[name], progress.get(name), waiting)
    planned: Counter[date] = Counter()
    if settings.limits.daily is not None:
        for one in ledger.planned_since(connection, mode, now.date()):
            planned[one.day] += one.emails
    return Coming(
        days,
        found.lines(),
        found.waits,
        [NextTick(plan.name, step, _next(plan, step, now)) for plan, step in steps.values()],
        settings.limits.daily,
        tuple(planned[day] for day in days),
    )


def _held_by(progress: StepProgress | None, orders: Orders) -> Mapping[GateName, str]:
    return {} if progress is None else progress.held_by(approved=orders.approved)


def _decided(
    found: _Counting, connection: Connection, mode: str, now: datetime, orders: Mapping[StepName, Orders]
) -> None:
    by_loop: dict[str, list[Ahead]] = defaultdict(list)
    for one in emails_ahead(connection, mode, now):
        name = (one.loop, one.step)
        if name in orders and not orders[name].paused:
            found.dated[one.loop, "decided"][one.day] += one.emails
            if one.waits_until is not None:
                by_loop[one.loop].append(one)
        elif name in orders:
            found.waits.append(_paused(one.loop, orders[name], f"{how_many(one.emails, 'email')} of {one.step}"))
    for loop, some in sorted(by_loop.items()):
        until = in_words(max(one.waits_until for one in some if one.waits_until is not None))
        number = how_many(sum(one.emails for one in some), "email")
        found.waits.append(Waits(loop, f"{number}, for their recipients' hours or their slice; the last until {until}"))


def _paused(loop: str, orders: Orders, what: str) -> Waits:
    whom = ["--all" if name == controls.EVERY else name for name in orders.paused_as]
    return Waits(loop, f"{what}, for the pause to end", "; ".join(f"skene-dagster resume {one}" for one in whom))


def _asked_again(
    connection: Connection,
    mode: str,
    now: datetime,
    steps: Mapping[StepName, tuple[LoopPlan, StepPlan]],
    days: Sequence[date],
) -> list[tuple[AskedAgain, date | None]]:
    """Count who is decided again, on the day of the tick that does; all steps with the same ticks at once."""
    by_schedule: dict[Schedule | None, list[StepName]] = defaultdict(list)
    for name, (plan, step) in steps.items():
        trigger = plan.root_of(step).trigger
        by_schedule[trigger if isinstance(trigger, Schedule) else None].append(name)
    found: list[tuple[AskedAgain, date | None]] = []
    for schedule, names in by_schedule.items():
        ends: dict[datetime, date | None] = {}
        if schedule is None:
            ends[datetime.combine(days[-1], time()) + A_DAY] = None
        else:
            last = [last_tick(schedule, datetime.combine(day, time()) + A_DAY - AN_INSTANT) for day in days]
            ends.update({tick: tick.date() for tick in last if tick > now})
        for subject in (USERS, ACCOUNTS):
            mine = [name for name in names if steps[name][1].per_account == (subject is ACCOUNTS)]
            if ends and mine:
                places = list(ends.values())
                found += [(one, places[one.place]) for one in asked_again(connection, mode, mine, list(ends), subject)]
    return [(one, day) for one, day in found if one.is_inside or steps[one.loop, one.step][1].by_row]


def _count_again(
    found: _Counting,
    again: Sequence[tuple[AskedAgain, date | None]],
    steps: Mapping[StepName, tuple[LoopPlan, StepPlan]],
    held: set[StepName],
) -> None:
    reasons: Counter[tuple[str, str]] = Counter()
    for one, day in again:
        if (one.loop, one.step) in held:
            continue
        if one.reason in _MENDED_FIRST or one.reason == "budget":
            reasons[one.loop, one.reason] += one.number
        if one.reason in _MENDED_FIRST:
            continue
        if day is None:
            found.undated[one.loop, "asked again"] += one.number
        else:
            found.dated[one.loop, "asked again"][day] += one.number
    for (loop, reason), number in sorted(reasons.items()):
        whom = _subjects(number, is_about_accounts=_is_about_accounts(steps, loop))
        found.waits.append(Waits(loop, f"{whom}: {REASONS[reason]}"))


def _subjects(number: int, *, is_about_accounts: bool) -> str:
    return how_many(number, "account") if is_about_accounts else how_many(number, "person", "people")


def _is_about_accounts(steps: Mapping[StepName, tuple[LoopPlan, StepPlan]], loop: str) -> bool:
    return any(step.per_account for (name, _), (_, step) in steps.items() if name == loop)


def _follow(found: _Counting, plan: LoopPlan, step: StepPlan, decided: Sequence[Decisions], now: datetime) -> None:
    """Count whom a step may mail after an email of another one, on the day of the tick at which it may."""
    assert isinstance(step.trigger, After)
    parent, root = plan.step(step.trigger.step), plan.root_of(step).trigger
    for one in decided:
        if (one.loop, one.step, one.state) != (plan.name, parent.ledger_name, "accepted"):
            continue
        end = datetime.combine(one.day, time()) + A_DAY - AN_INSTANT
        tick = last_tick(root, end) if isinstance(root, Schedule) else end
        due = later(tick, step.trigger.wait, plan.zone_of(parent))
        if due > now:
            at = next_tick(root, due) if isinstance(root, Schedule) else due
            found.dated[plan.name, "follows"][at.date()] += one.number


def _held(
    plan: LoopPlan, step: StepPlan, orders: Orders, progress: StepProgress | None, waiting: int
) -> Iterator[Waits]:
    what = f"{_subjects(waiting, is_about_accounts=step.per_account)} in {step.name}"
    if orders.paused:
        if waiting:
            yield _paused(plan.name, orders, what)
        return
    gates = _held_by(progress, orders)
    yield Waits(plan.name, f"{what}: {' '.join(gates.values())}", way_on(gates, plan.name, step.name))


def _next(plan: LoopPlan, step: StepPlan, now: datetime) -> datetime | None:
    trigger = plan.root_of(step).trigger
    return next_tick(trigger, now) if isinstance(trigger, Schedule) else None
