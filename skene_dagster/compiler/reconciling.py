"""The reconcile job and its sensor: what a run left without answer is closed, whatever the cron of its loop."""

import os
import time
from collections.abc import Iterator, Sequence

import dagster as dg
from sqlalchemy import Engine

from skene_dagster.compiler import signs_of_life
from skene_dagster.compiler.checks import report_doubts
from skene_dagster.compiler.recovery import working
from skene_dagster.compiler.sensors import is_on_its_way
from skene_dagster.delivery import channels
from skene_dagster.delivery.desk import Desk
from skene_dagster.delivery.reconcile import Reconciled, is_wanted, reconcile
from skene_dagster.errors import SkeneError
from skene_dagster.loops.plan import LoopPlan
from skene_dagster.settings import Settings
from skene_dagster.store import environment, schema
from skene_dagster.store.engine import database_clock

NAME = "skene__reconcile"
"""The job and its sensor; two underscores, so no loop can be named so."""

DOUBTS = "skene/doubts"
"""The run tag by which the sensor says whether it is time to ask about what is in doubt; without it, it is."""

LOOK_EVERY = 60
"""Seconds between two looks at what is open."""

ASK_EVERY = 3600.0
"""Seconds between two questions about what is in doubt: each costs the provider's limit some calls."""


def reconciling(plans: Sequence[LoopPlan], settings: Settings) -> dg.Definitions:
    """Define the job and its sensor, which is on from the start.

    Args:
        plans: the loops that are well.
    """

    @dg.op(
        name=f"{NAME}__look",
        description="Send again, under its own key, what an attempt left without answer; after 23 hours, ask the "
        "provider's records; ask them again about what is in doubt. Nobody is mailed twice.",
        out=dg.Out(dg.Nothing),
        retry_policy=dg.RetryPolicy(max_retries=2, delay=30.0, backoff=dg.Backoff.EXPONENTIAL),
    )
    def look(context: dg.OpExecutionContext, database: dg.ResourceParam[Engine]) -> None:
        with working(context.run.run_id):
            schema.ready(database, settings.users)
            environment.belong(database, settings.environment)
            channel, clock = channels.choose(settings), database_clock(database)
            owner = f"{context.run.run_id}.{context.retry_number}.{os.getpid()}"
            provider = channels.provider(channel, settings, clock)
            desk = Desk(database, settings, channel, provider, clock, owner, say=context.log.info)
            try:
                found = reconcile(desk, plans, doubts_too=context.run.tags.get(DOUBTS) != "false")
            finally:
                report_doubts(context.instance, database, plans, channel.name)
        context.log.info(_told(found))
        context.add_output_metadata(
            {
                "looked_at": found.looked_at,
                "unresolved": found.unresolved,
                "in_doubt": found.in_doubt,
                "dropped": found.dropped,
                "parked": found.parked or "no",
            }
        )

    @dg.job(name=NAME, description="Closes what runs have left without answer, and asks about what is in doubt.")
    def job() -> None:
        look()

    @dg.sensor(
        name=NAME,
        # Dagster, 2026-11: with the job itself in place of its name, it warns of a beta that nobody asked for.
        job_name=NAME,
        minimum_interval_seconds=LOOK_EVERY,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Starts the reconcile job when a batch is without answer for two minutes and no run holds it, when "
        "a step is gone that still has emails to send, and once an hour while something is in doubt. Fails the runs "
        "whose process was killed, together with what watched over them.",
    )
    def sensor(
        context: dg.SensorEvaluationContext, database: dg.ResourceParam[Engine]
    ) -> Iterator[dg.SkipReason | dg.RunRequest]:
        signs_of_life.fail_the_dead(context.instance)
        if is_on_its_way(context.instance, NAME):
            yield dg.SkipReason("A reconcile run is on its way.")
            return
        now = time.time()
        doubts_too = now - float(context.cursor or 0) >= ASK_EVERY
        try:
            wanted = _is_wanted(database, settings, plans, doubts_too=doubts_too)
        except SkeneError as error:
            yield dg.SkipReason(str(error))
            return
        if not wanted:
            yield dg.SkipReason("Nothing is without answer.")
            return
        if doubts_too:
            context.update_cursor(str(now))
        yield dg.RunRequest(tags={DOUBTS: str(doubts_too).lower()})

    return dg.Definitions(jobs=[job], sensors=[sensor])


def _is_wanted(database: Engine, settings: Settings, plans: Sequence[LoopPlan], *, doubts_too: bool) -> bool:
    if not schema.is_ready(database):
        return False
    channel = channels.choose(settings)
    return is_wanted(database, channel.name, database_clock(database), plans, doubts_too=doubts_too)


def _told(found: Reconciled) -> str:
    parked = f" Parked: {found.parked}." if found.parked else ""
    left = f"{found.unresolved:,} still without answer, {found.in_doubt:,} in doubt"
    return f"{found.looked_at:,} batches looked at; {left}.{parked}"
