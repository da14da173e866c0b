"""When a loop runs: one job per loop, and a schedule for each distinct schedule of its steps."""

import dagster as dg

from skene_dagster.compiler import descriptions
from skene_dagster.compiler.catalog.catalog import Catalog
from skene_dagster.compiler.retry_policy import EXECUTOR
from skene_dagster.compiler.starting.sensors import is_woken, selected, sensor
from skene_dagster.compiler.window import AS_OF, tag_of
from skene_dagster.loops.plan import LoopPlan, StepPlan
from skene_dagster.loops.triggers import Schedule
from skene_dagster.settings import Settings

LOOP = "skene/loop"
"""The run tag that names the loop."""


def automation(plan: LoopPlan, settings: Settings, catalog: Catalog) -> dg.Definitions:
    """Define the loop's job, named after it, and its schedules and sensors, which are on from the start."""
    job = dg.define_asset_job(
        catalog.job(plan.name),
        selection=dg.AssetSelection.assets(*selected(plan, plan.steps, catalog)),
        description=descriptions.loop(plan),
        tags={LOOP: plan.name},
        executor_def=EXECUTOR,
    )
    times: dict[Schedule, list[StepPlan]] = {}
    for step in plan.steps:
        # A step that follows an email runs at the ticks of the step that it follows.
        root = plan.root_of(step).trigger
        if isinstance(root, Schedule):
            times.setdefault(root, []).append(step)

    def schedule(time: Schedule, steps: list[StepPlan]) -> dg.ScheduleDefinition:
        all_of_them = len(steps) == len(plan.steps)
        keys = None if all_of_them else selected(plan, steps, catalog)

        @dg.schedule(
            name=job.name if all_of_them else f"{job.name}__{steps[0].name}",
            job=job,
            cron_schedule=time.cron,
            execution_timezone=time.timezone,
            description=descriptions.schedule(plan, steps),
            default_status=dg.DefaultScheduleStatus.RUNNING,
        )
        def tick(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
            moment = tag_of(context.scheduled_execution_time)
            return dg.RunRequest(run_key=moment, tags={AS_OF: moment}, asset_selection=keys)

        return tick

    sensors = [sensor(plan, step, settings, catalog) for step in plan.steps if is_woken(plan, step)]
    return dg.Definitions(
        jobs=[job], schedules=[schedule(time, steps) for time, steps in times.items()], sensors=sensors
    )
