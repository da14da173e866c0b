"""Simulated days: each lets the product's users live for 24 hours, and then runs the loop's job through Dagster.

The runs are real ones, for moments that are past. They are kept in Dagster's instance, where its UI finds them.
"""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from datetime import datetime, time, timezone
from functools import partial
from pathlib import Path

import dagster as dg
from sqlalchemy import Connection, Engine

from skene_dagster.compiler import compile_project
from skene_dagster.compiler.window import AS_OF, tag_of
from skene_dagster.delivery import facts, ledger
from skene_dagster.delivery.ledger import Scope
from skene_dagster.demo import product
from skene_dagster.demo.people import DAY, Person
from skene_dagster.errors import SkeneError
from skene_dagster.loops.plan import LoopPlan
from skene_dagster.project import Project
from skene_dagster.settings import Settings
from skene_dagster.store.engine import transaction

TAG = "skene/demo"
"""The tag of the demo's runs."""

REPOSITORY = {".dagster/repository": "__repository__@skene"}
"""By this tag Dagster's UI lists a run under its job (2026-11: a run in this process gets none); workspace.yaml has
the name of the code location."""

TICK = time(9, 0)
"""When the simulated days are looked at, in UTC."""


@dataclass(frozen=True)
class World:
    """What the days take place in."""

    file: Path
    """The product's database."""
    engine: Engine
    settings: Settings
    project: Project
    plan: LoopPlan
    instance: dg.DagsterInstance

    @property
    def scope(self) -> Scope:
        """Whose ledger it is."""
        return Scope("outbox", self.plan.name, self.plan.steps[0].name)


@dataclass(frozen=True)
class Day:
    """What one run did."""

    as_of: datetime
    members: int
    """Inside after the run."""
    entered: int
    left: int
    sends: dict[str, int]
    """What was decided at this tick: `accepted`, `deferred:no_address`, … → how many."""


@dataclass(frozen=True)
class Return:
    """A user who got an email."""

    name: str
    mailed_at: datetime
    came_back: datetime | None


def ticks(until: datetime, how_many: int) -> list[datetime]:
    """List the last daily ticks that are not after `until` (UTC), the oldest first."""
    last = datetime.combine(until.date(), TICK)
    if last > until:
        last -= DAY
    return [last - n * DAY for n in reversed(range(how_many))]


@contextmanager
def open_instance(home: Path, settings: Settings) -> Iterator[dg.DagsterInstance]:
    """Open Dagster's instance in a folder; the project's dagster.yaml is copied there if there is none.

    The runs of an earlier demo are removed from it.
    """
    home.mkdir(parents=True, exist_ok=True)
    configured = settings.root / "dagster.yaml"
    if configured.exists() and not (home / "dagster.yaml").exists():
        shutil.copyfile(configured, home / "dagster.yaml")
    with dg.DagsterInstance.from_config(str(home)) as instance:
        for run in instance.get_runs(dg.RunsFilter(tags={TAG: "true"})):
            instance.delete_run(run.run_id)
        yield instance


@contextmanager
def quiet(log: Path | None) -> Iterator[None]:
    """Keep what is written to the terminal meanwhile in a file; None leaves it there."""
    if log is None:
        yield
        return
    with log.open("w", encoding="utf-8") as file, redirect_stdout(file), redirect_stderr(file):
        yield


def run_days(world: World, people: list[Person], moments: Sequence[datetime]) -> Iterator[Day]:
    """Live and run day by day.

    Raises:
        SkeneError: a run failed.
    """
    job = compile_project(world.project, world.settings).resolve_job_def(world.plan.name)
    for number, moment in enumerate(moments):
        if number:
            people = product.live(world.file, people, moment, _mailed(world, people))
        tags = {AS_OF: tag_of(moment.replace(tzinfo=timezone.utc)), TAG: "true", **REPOSITORY}
        result = job.execute_in_process(instance=world.instance, tags=tags, raise_on_error=False)
        if not result.success:
            raise SkeneError(f"Run {result.run_id} failed. {_why(result)}")
        sends = transaction(world.engine, partial(ledger.counts, scope=world.scope, as_of=moment))
        yield _day(moment, result, sends)


def returns(world: World, people: Sequence[Person]) -> list[Return]:
    """List who got an email and has a name, by key, and whether he has been seen since."""
    mailed = _mailed(world, people)

    def look(connection: Connection) -> dict[object, facts.Person]:
        return facts.people(connection, world.settings.users, list(mailed), ["name", "last_activity_at"])

    found = transaction(world.engine, look)
    told = []
    for key, at in mailed.items():
        if key not in found:
            continue
        columns = found[key].columns
        seen = datetime.fromisoformat(str(columns["last_activity_at"]))
        told.append(Return(str(columns["name"]), at, seen if seen > at else None))
    return told


def _mailed(world: World, people: Sequence[Person]) -> dict[int, datetime]:
    """Say when each user got his last email."""
    keys = [someone.id for someone in people]
    pasts = transaction(world.engine, partial(facts.history, scope=world.scope, keys=keys))
    return {key: past.mailed_as_of for key in keys if (past := pasts.get(key)) and past.mailed_as_of}


def _day(moment: datetime, result: dg.ExecuteInProcessResult, sends: dict[str, int]) -> Day:
    """Read a day from what its run reported, and from the ledger."""
    reported: dict[str, object] = {}
    for event in result.get_asset_materialization_events():
        reported |= {name: value.value for name, value in event.materialization.metadata.items()}
    members, entered, left = (reported[name] for name in ("dagster/row_count", "entered", "exited"))
    assert isinstance(members, int)
    assert isinstance(entered, int)
    assert isinstance(left, int)
    return Day(moment, members, entered, left, sends)


def _why(result: dg.ExecuteInProcessResult) -> str:
    failures = [event.step_failure_data for event in result.all_events if event.is_step_failure]
    said = [data.user_failure_data.description for data in failures if data.user_failure_data is not None]
    return said[0] or "" if said else ""
