"""Simulated days: each lets the product's users live for 24 hours, and then runs every loop's job through Dagster.

The runs are real ones, for moments that are past. They are kept in Dagster's instance, where its UI finds them.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from datetime import datetime, time, timezone
from functools import partial
from pathlib import Path

import dagster as dg
from sqlalchemy import Engine

from skene_dagster.compiler import compile_project
from skene_dagster.compiler.jobs.outcomes import NAME as OUTCOMES
from skene_dagster.compiler.window import AS_OF, tag_of
from skene_dagster.delivery import ledger
from skene_dagster.delivery.ledger import scope_of
from skene_dagster.demo import product, story
from skene_dagster.demo.instance import TAG
from skene_dagster.demo.people import DAY, Person
from skene_dagster.errors import SkeneError
from skene_dagster.loops.plan import LoopPlan
from skene_dagster.loops.triggers import Schedule
from skene_dagster.project import Project
from skene_dagster.settings import Settings
from skene_dagster.store.engine import reading

REPOSITORY = {".dagster/repository": "__repository__@skene"}
"""By this tag Dagster's UI lists a run under its job (2026-11: a run in this process gets none); workspace.yaml has
the name of the code location."""

TICK = time(9, 0)
"""Until when a simulated day is lived, in UTC; the loops run between then and `OTHERS`."""

OTHERS = time(12, 0)
"""When a loop runs that has no daily clock. Its sensor would wake it as soon as there is something."""


@dataclass(frozen=True)
class World:
    """What the days take place in."""

    file: Path
    """The product's database."""
    engine: Engine
    settings: Settings
    project: Project
    plans: Sequence[LoopPlan]
    """In the order in which they run."""
    instance: dg.DagsterInstance


@dataclass(frozen=True)
class Day:
    """What the runs of a day did."""

    tick: datetime
    active: int
    """Users who did something in the 24 hours before."""
    sends: dict[str, dict[str, int]]
    """What was decided, by step (`retention.main`): `accepted`, `deferred:no_address`, … → how many."""
    people: Sequence[Person]
    """Everybody who had signed up by then."""


def ticks(until: datetime, how_many: int) -> list[datetime]:
    """List the last daily ticks of days that are over by `until` (UTC), the oldest first."""
    last = datetime.combine(until.date(), TICK)
    if datetime.combine(last, OTHERS) > until:
        last -= DAY
    return [last - n * DAY for n in reversed(range(how_many))]


@contextmanager
def quiet(log: Path | None) -> Iterator[None]:
    """Keep what is written to the terminal in the meantime in a file; None leaves it there."""
    if log is None:
        yield
        return
    with log.open("w", encoding="utf-8") as file, redirect_stdout(file), redirect_stderr(file):
        yield


def in_order(plans: Sequence[LoopPlan]) -> list[LoopPlan]:
    """Sort loops by the time of the day at which they run."""
    return sorted(plans, key=lambda plan: (_time_of(plan), plan.name))


def run_days(world: World, people: list[Person], moments: Sequence[datetime]) -> Iterator[Day]:
    """Live and run day by day; when the days are over, measure what came of them.

    Raises:
        SkeneError: a run failed.
    """
    definitions = compile_project(world.project, world.settings)
    jobs = {plan.name: definitions.resolve_job_def(plan.name) for plan in world.plans}
    for number, tick in enumerate(moments):
        if number:
            mailed = reading(world.engine, lambda connection: story.mailed(connection, world.plans))
            people = product.live(world.file, people, tick, mailed)
        sends: dict[str, dict[str, int]] = {}
        for plan in world.plans:
            moment = datetime.combine(tick, _time_of(plan))
            _run(world, jobs[plan.name], moment.replace(tzinfo=timezone.utc))
            for step in plan.steps:
                counts = partial(ledger.counts, scope=scope_of("outbox", plan, step), as_of=moment)
                sends[f"{plan.name}.{step.name}"] = reading(world.engine, counts)
        yield Day(tick, product.active(world.file, tick), sends, people)
    moment = datetime.combine(moments[-1], OTHERS).replace(tzinfo=timezone.utc)
    _run(world, definitions.resolve_job_def(OUTCOMES), moment)


def _run(world: World, job: dg.JobDefinition, moment: datetime) -> None:
    tags = {AS_OF: tag_of(moment), TAG: "true", **REPOSITORY}
    result = job.execute_in_process(instance=world.instance, tags=tags, raise_on_error=False)
    if not result.success:
        raise SkeneError(f"Run {result.run_id} failed. {_why(result)}")


def _time_of(plan: LoopPlan) -> time:
    """Say when a loop runs: at the time of its first daily clock."""
    for step in plan.steps:
        if isinstance(step.trigger, Schedule) and (daily := re.fullmatch(r"(\d+) (\d+) \* \* \*", step.trigger.cron)):
            at = time(int(daily[2]), int(daily[1]))
            return min(max(at, TICK), OTHERS)
    return OTHERS


def _why(result: dg.ExecuteInProcessResult) -> str:
    failures = [event.step_failure_data for event in result.all_events if event.is_step_failure]
    said = [data.user_failure_data.description for data in failures if data.user_failure_data is not None]
    return said[0] or "" if said else ""
