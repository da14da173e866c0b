"""The retention job and its schedule: once a day, old rows are deleted."""

from collections.abc import Sequence
from dataclasses import replace

import dagster as dg
from sqlalchemy import Engine

from skene_dagster.compiler.retry_policy import EXECUTOR, RETRIES
from skene_dagster.compiler.work import begun
from skene_dagster.delivery.retention import Retained, forget_contacts, retain
from skene_dagster.erasing.waiting import go_on
from skene_dagster.feedback.keeping import prune
from skene_dagster.incidents.keeping import forget_incidents
from skene_dagster.loops.plan import LoopPlan
from skene_dagster.loops.planning.usage import plan_usage
from skene_dagster.settings import Settings
from skene_dagster.store.tables import contacts, incidents, webhooks

NAME = "skene__retention"
"""The job and its schedule. Two underscores: no loop can have this name."""

DAILY = "40 3 * * *"
"""When few are awake, and long after the day was rolled up (UTC)."""


def retaining(plans: Sequence[LoopPlan], settings: Settings, *, are_all: bool) -> dg.Definitions:
    """Define the job and its schedule, which is on from the start.

    Args:
        plans: the loops without errors.
        are_all: there is no other.

    Raises:
        SettingsError: what skene.yaml says of what users do is impossible.
    """
    usage = plan_usage(settings)

    @dg.op(
        # Dagster, 2026-11: an op may not have the name of a job; this fails only when the code location is loaded.
        name=f"{NAME}__delete",
        description="Deletes rows older than `retention` in skene.yaml, and what providers told more than a month ago, "
        "some rows to a transaction; forgets when emails of more than 400 days ago were opened, and who was erased a "
        "month ago. If it is stopped, it continues the next time.",
        out=dg.Out(dg.Nothing),
        retry_policy=RETRIES,
    )
    def delete(context: dg.OpExecutionContext, skene_database: dg.ResourceParam[Engine]) -> None:
        with begun(context, skene_database, settings) as work:
            kept = settings.retention
            done = retain(skene_database, retention=kept, usage=usage, plans=plans, are_all=are_all, clock=work.clock)
            forgotten = forget_contacts(skene_database, settings.limits.caps, work.clock)
            pruned = prune(skene_database, work.clock)
            go_on(skene_database, settings, work.clock)
            over = forget_incidents(skene_database, work.clock)
        more = {contacts.name: forgotten, webhooks.name: pruned.events, incidents.name: over}
        done = replace(done, rows={**done.rows, **more})
        context.log.info(_told(done))
        context.add_output_metadata({**done.rows, "opens_forgotten": pruned.opens, **_events(done)})

    @dg.job(
        name=NAME,
        executor_def=EXECUTOR,
        description="Deletes what is old: as skene.yaml says, and what providers told.",
    )
    def job() -> None:
        delete()

    schedule = dg.ScheduleDefinition(
        name=NAME,
        job=job,
        cron_schedule=DAILY,
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING,
    )
    return dg.Definitions(jobs=[job], schedules=[schedule])


def _events(done: Retained) -> dict[str, str]:
    told = {"events_kept_since": str(done.events_since)} if done.events_since else {}
    return told | ({"events_wait_for": done.waits_for} if done.waits_for else {})


def _told(done: Retained) -> str:
    rows = ", ".join(f"{n:,} of {table}" for table, n in done.rows.items())
    waits = f" Events wait for {done.waits_for}." if done.waits_for else ""
    return f"Rows deleted: {rows}.{waits}"
