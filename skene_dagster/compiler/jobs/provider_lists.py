"""The job that reads the providers' own lists of suppressions, and its schedule: once a day."""

import dagster as dg
from sqlalchemy import Engine

from skene_dagster.compiler.retry_policy import EXECUTOR, RETRIES
from skene_dagster.compiler.work import begun
from skene_dagster.errors import SettingsError
from skene_dagster.feedback.provider_list.lists import reachable
from skene_dagster.feedback.provider_list.sweep import Swept, sweep
from skene_dagster.settings import Settings

NAME = "skene__suppressions"
"""The job and its schedule. Two underscores: no loop can have this name."""

DAILY = "10 3 * * *"
"""When few are awake (UTC)."""


def provider_lists(settings: Settings) -> dg.Definitions:
    """Define the job and its schedule, which is on from the start; nothing where no list can be read."""
    try:
        names = reachable(settings).names
    except SettingsError:
        # Each run that sends says so.
        names = ()
    if not names:
        return dg.Definitions()

    @dg.op(
        # Dagster, 2026-11: an op may not have the name of a job; this fails only when the code location is loaded.
        name=f"{NAME}__read",
        description="Reads what is new on the providers' own lists of addresses to which they send nothing (bounces, "
        "complaints, what people put there), and puts it on ours. If it is stopped, it goes on the next time.",
        out=dg.Out(dg.Nothing),
        retry_policy=RETRIES,
    )
    def read(context: dg.OpExecutionContext, skene_database: dg.ResourceParam[Engine]) -> None:
        with begun(context, skene_database, settings) as work, work.session() as session:
            swept = [sweep(session, name) for name in names]
        for one in swept:
            (context.log.warning if one.ended_because and one.is_news else context.log.info)(_told(one))
        context.add_output_metadata(
            {
                "entries": sum(one.entries for one in swept),
                "added": sum(one.added for one in swept),
                "unread": sum(one.unread for one in swept),
            }
        )

    @dg.job(name=NAME, executor_def=EXECUTOR, description="Reads the providers' own lists of suppressions.")
    def job() -> None:
        read()

    schedule = dg.ScheduleDefinition(
        name=NAME,
        job=job,
        cron_schedule=DAILY,
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING,
    )
    return dg.Definitions(jobs=[job], schedules=[schedule])


def _told(one: Swept) -> str:
    unread = f" {one.unread:,} cannot be understood." if one.unread else ""
    ended = f" It is not read to its end: {one.ended_because}." if one.ended_because else ""
    return f"The list of {one.provider}: {one.entries:,} entries read, {one.added:,} new to ours.{unread}{ended}"
