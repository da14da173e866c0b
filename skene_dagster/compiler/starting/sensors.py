"""What starts a step that has no schedule: a sensor that checks, in one bounded query, whether there is something new.

It asks the database or, where the step waits for assets, Dagster (`materialized.py`).

It only starts a run: the run reads its window itself, and the ledger knows what was seen. A sensor that looks too
often, or not often enough, mails nobody twice and forgets nobody.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

import dagster as dg
from sqlalchemy import Connection, Engine

from skene_dagster.compiler import descriptions
from skene_dagster.compiler.catalog.catalog import Catalog
from skene_dagster.compiler.jobs.rollup import keys_needed
from skene_dagster.compiler.names import keys_of
from skene_dagster.compiler.starting import materialized
from skene_dagster.compiler.window import AS_OF
from skene_dagster.delivery import modes
from skene_dagster.errors import SkeneError
from skene_dagster.loops.plan import LoopPlan, StepPlan, segment_name
from skene_dagster.loops.triggers import After, Calls, Manual, Materialized, Rows, Schedule
from skene_dagster.segments import clearance
from skene_dagster.segments.triggers import trigger_windows
from skene_dagster.settings import Settings
from skene_dagster.store import schema
from skene_dagster.store.engine import CLOCKS_DIFFER, database_clock, reading

LOOK_EVERY = 30
"""Seconds between two checks."""

LONGEST = timedelta(hours=1)
"""How long an unfinished run holds back others: a killed run may be shown as started for ever. Two at once do no harm,
because the ledger keeps them apart."""

_ACTIVE = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
]


def is_woken(plan: LoopPlan, step: StepPlan) -> bool:
    """Whether a step needs a sensor: it has no schedule, and is not only started by a person."""
    return not isinstance(plan.root_of(step).trigger, Schedule | Manual)


def is_on_its_way(instance: dg.DagsterInstance, job: str) -> bool:
    """Whether a run of a job has been started and not ended."""
    since = datetime.now(timezone.utc) - LONGEST
    return bool(instance.get_runs(dg.RunsFilter(job_name=job, statuses=_ACTIVE, created_after=since), limit=1))


def selected(plan: LoopPlan, steps: Sequence[StepPlan], catalog: Catalog) -> list[dg.AssetKey]:
    """Name the assets that a run of these steps makes: those of ours that they are read from, and their own."""
    return catalog.keys([*keys_needed(steps), *(key for step in steps for key in keys_of(plan, step))])


def sensor(plan: LoopPlan, step: StepPlan, settings: Settings, catalog: Catalog) -> dg.SensorDefinition:
    """Define the sensor that starts a step; it is on from the beginning."""
    keys, job = selected(plan, [step], catalog), catalog.job(plan.name)

    @dg.sensor(
        name=f"{job}__{step.name}",
        job_name=job,
        minimum_interval_seconds=LOOK_EVERY,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=descriptions.sensor(plan, step),
    )
    def wake(
        context: dg.SensorEvaluationContext, skene_database: dg.ResourceParam[Engine]
    ) -> Iterator[dg.SkipReason | dg.RunRequest]:
        if is_on_its_way(context.instance, job):
            yield dg.SkipReason("A run of this loop is already in progress.")
            return
        try:
            if not schema.is_ready(skene_database):
                yield dg.SkipReason("The skene_* tables are not there yet, or of another release.")
                return
            now = database_clock(skene_database)()
            if isinstance(step.trigger, Materialized):
                found = materialized.look(context.instance, step.trigger, catalog, context.cursor)
            else:
                found = _in_the_database(skene_database, plan, step, settings, context.cursor, now)
        except SkeneError as error:
            yield dg.SkipReason(str(error))
            return
        context.update_cursor(found.cursor)
        if not found.starts:
            yield dg.SkipReason(found.said)
            return
        yield dg.RunRequest(tags={AS_OF: f"{now.isoformat()}+00:00"}, asset_selection=keys)

    return wake


def _in_the_database(
    database: Engine, plan: LoopPlan, step: StepPlan, settings: Settings, cursor: str | None, now: datetime
) -> materialized.Looked:
    before = Cursor.read(cursor)
    after = reading(database, lambda connection: look(connection, plan, step, settings, before, now))
    return materialized.Looked(after is not None, cursor if after is None else after.written())


@dataclass(frozen=True)
class Cursor:
    """How far a sensor has looked."""

    seen: datetime
    """The moment of the newest row."""
    woke: datetime
    """When a run was started last."""

    @staticmethod
    def read(text: str | None) -> "Cursor | None":
        """Read what `written` wrote; None where there is nothing to be read."""
        if not text:
            return None
        said = json.loads(text)
        return Cursor(datetime.fromisoformat(said["seen"]), datetime.fromisoformat(said["woke"]))

    def written(self) -> str:
        """Write it, for Dagster to keep."""
        return json.dumps({"seen": self.seen.isoformat(), "woke": self.woke.isoformat()})


def look(
    connection: Connection, plan: LoopPlan, step: StepPlan, settings: Settings, before: Cursor | None, now: datetime
) -> Cursor | None:
    """Check whether to start a run now; return where that run starts reading, None if there is nothing new.

    The very first check starts one, which records where history ends. So does one that finds a cursor of a wrong clock.
    """
    # A cursor in the future was written by a wrong clock: anything newer would be ignored until that moment.
    if before is None or max(before.seen, before.woke) > now + CLOCKS_DIFFER:
        return Cursor(now, now)
    trigger = step.trigger
    if isinstance(trigger, After):
        return Cursor(now, now) if _is_due(connection, plan, step, trigger, settings, now) else None
    assert isinstance(trigger, Rows | Calls)
    source = trigger if isinstance(trigger, Rows) else trigger_windows.of_calls(trigger, settings.events)
    newest = trigger_windows.newest(connection, source, before.seen, now)
    if newest is not None:
        return Cursor(newest, now)
    # A row whose condition does not hold yet is asked about again while it may wait, and so is one that is written
    # by now and not yet committed; less and less often than it is looked for.
    waits = step.timeout + trigger_windows.LATE
    is_time = now - before.woke >= max(timedelta(minutes=1), waits / 10)
    return Cursor(before.seen, now) if before.seen > now - waits and is_time else None


def _is_due(
    connection: Connection, plan: LoopPlan, step: StepPlan, trigger: After, settings: Settings, now: datetime
) -> bool:
    cleared = clearance.of(connection, segment_name(plan.name, step.ledger_name))
    if cleared is None:
        return True
    within = trigger_windows.Window(cleared.as_of, now, None)
    return trigger_windows.is_due(connection, plan, trigger, modes.choose(settings).name, within)
