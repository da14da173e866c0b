"""All that is wrong now: one list, which `status` prints and from which incidents are made.

Its parts know nothing of each other: where one cannot be looked at, the others are, and nothing of its kinds is over.
"""

import platform
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import get_args

from sqlalchemy import Connection, Engine

from skene_dagster.consent import erasures
from skene_dagster.consent.spool.spool import Spool
from skene_dagster.delivery import controls
from skene_dagster.delivery.controls import EVERY
from skene_dagster.delivery.health import GRACE, LookedAt, StepHealth, closed_accounts, health, left_by_others
from skene_dagster.errors import SkeneError, SpoolError, StoreUnavailable
from skene_dagster.files import shown_path
from skene_dagster.incidents import failures, refusals
from skene_dagster.incidents.failures import Failure
from skene_dagster.incidents.problems import Kind, Problem, StepKind
from skene_dagster.incidents.steps import problem_of_pause, problems_of, problems_of_open
from skene_dagster.loops.plan import LoopPlan, StepPlan
from skene_dagster.loops.triggers import Schedule
from skene_dagster.settings import Settings
from skene_dagster.store.engine import Clock, reading
from skene_dagster.ticks import last_tick
from skene_dagster.wording import how_many, in_words


@dataclass
class Found:
    """What is wrong now, and how much of it was looked at."""

    problems: list[Problem] = field(default_factory=list)
    looked_at: dict[Kind, str | None] = field(default_factory=dict)
    """The kinds that were looked at; of one with a subject, nothing is known about its others."""
    steps: list[StepHealth] = field(default_factory=list)
    failed: list[SkeneError] = field(default_factory=list)
    """Why a part could not be looked at."""

    def add(self, kinds: Iterable[Kind], problems: Iterable[Problem], subject: str | None = None) -> None:
        """Add what one part found, unless it cannot be looked at; its kinds are then not looked at."""
        try:
            found = list(problems)
        except SkeneError as error:
            self.failed.append(error)
            return
        self.problems += found
        self.looked_at |= dict.fromkeys(kinds, subject)

    @property
    def is_cut_off(self) -> bool:
        """Whether the database went away: asking it again would only wait again."""
        return any(isinstance(error, StoreUnavailable) for error in self.failed)


def on_this_machine(found: Found, settings: Settings, broken: Iterable[str]) -> None:
    """Add what is known without the database.

    Args:
        broken: the files that are not loaded, as they are shown.
    """
    found.add(["unheard"], _unheard(settings), subject=_machine())
    found.add(["broken_file"], (_broken(file) for file in broken))


def in_the_database(
    found: Found, engine: Engine, settings: Settings, plans: Sequence[LoopPlan], mode: str, clock: Clock
) -> None:
    """Add what the database knows; a few queries for all steps, and more for those that have open batches."""
    now = clock()
    parts: tuple[tuple[Sequence[Kind], Callable[[Connection], list[Problem]]], ...] = (
        (get_args(StepKind), lambda connection: _of_steps(connection, found, plans, mode, now)),
        (["paused"], lambda connection: list(_paused(connection, plans))),
        (["provider_closed"], lambda connection: list(_closed(connection, now))),
        (["not_erased"], lambda connection: list(_not_erased(connection, now))),
        (["alert_refused"], lambda connection: list(_refused(connection, settings))),
    )
    for kinds, look in parts:
        if not found.is_cut_off:
            found.add(kinds, _read(engine, look))


def _read(engine: Engine, look: Callable[[Connection], list[Problem]]) -> Iterator[Problem]:
    yield from reading(engine, look)


def _of_steps(
    connection: Connection, found: Found, plans: Sequence[LoopPlan], mode: str, now: datetime
) -> list[Problem]:
    failed = failures.standing(connection, now)
    by_step: Mapping[tuple[str, str], Failure] = {(one.op.loop, one.op.step): one for one in reversed(failed)}
    steps = [LookedAt(plan, step, due(plan, step, now)) for plan in plans for step in plan.steps]
    found.steps = health(connection, steps, mode, now)
    problems = [one for step in found.steps for one in problems_of(step, now, by_step.get((step.loop, step.step)))]
    for left in left_by_others(connection, plans, mode, now):
        problems += problems_of_open(left, now)
    problems += [_of_no_loop(one) for one in failed if not one.op.loop]
    return problems


def _of_no_loop(failure: Failure) -> Problem:
    name = failure.op.name
    return Problem("run_failed", name, name, failure.words, failure.to_do, failure.failed_at)


def _paused(connection: Connection, plans: Sequence[LoopPlan]) -> Iterator[Problem]:
    """Say what is paused: each order once, however many steps it holds."""
    names = {EVERY, *(plan.name for plan in plans)}
    for loop, pause in controls.paused(connection).items():
        if loop in names:
            yield problem_of_pause(loop, pause)


def due(plan: LoopPlan, step: StepPlan, now: datetime) -> datetime | None:
    """Return the last tick that a step should have been refreshed for by now; None for a step without a clock."""
    trigger = plan.root_of(step).trigger
    return last_tick(trigger, now - GRACE) if isinstance(trigger, Schedule) else None


def _closed(connection: Connection, now: datetime) -> Iterator[Problem]:
    for until, why in closed_accounts(connection, now):
        said = f"The provider accepts nothing more until {in_words(until)}: {why}"
        yield Problem("provider_closed", "provider", "", said)


def _refused(connection: Connection, settings: Settings) -> Iterator[Problem]:
    for target, answer in refusals.of(connection, settings.alerts):
        said = f"The alerts for {target.variable} are refused: {answer}"
        yield Problem("alert_refused", target.variable, "", said, "set it anew")


def _not_erased(connection: Connection, now: datetime) -> Iterator[Problem]:
    for one in erasures.waiting(connection):
        if now > one.ends_at + GRACE:
            said = (
                f"Whoever was erased at {in_words(one.erased_at)} is not erased for good: an email that may have been "
                f"sent to them has kept its content since {in_words(one.ends_at)}"
            )
            yield Problem("not_erased", one.erasure_id, "", said, "is Dagster's daemon running?", one.ends_at)


def _broken(file: str) -> Problem:
    return Problem("broken_file", file, "", f"{file} is broken", "skene-dagster validate")


def _unheard(settings: Settings) -> Iterator[Problem]:
    """Say which answers of recipients wait on this machine for the database."""
    try:
        waiting = Spool(settings.spool).waiting()
    except SpoolError as error:
        yield Problem("unheard", _machine(), "", str(error))
        return
    if waiting is not None:
        said = how_many(waiting.choices, "answer of a recipient", "answers of recipients")
        waits = "waits" if waiting.choices == 1 else "wait"
        folder = shown_path(settings.spool, settings.root)
        yield Problem(
            "unheard",
            _machine(),
            "",
            f"{said} {waits} in {folder} since {in_words(waiting.since)}. `serve`, or the next run on this "
            "machine, writes them to the database; until then that run decides about nobody.",
        )


def _machine() -> str:
    return platform.node() or "this machine"
