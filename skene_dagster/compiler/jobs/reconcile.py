"""The reconcile job and its sensor: what a run left without answer is closed, whatever the cron of its loop."""

from collections.abc import Iterator, Sequence

import dagster as dg
from sqlalchemy import Engine

from skene_dagster.compiler.checks import report_doubts
from skene_dagster.compiler.jobs import dead_runs
from skene_dagster.compiler.jobs.sensors import is_on_its_way
from skene_dagster.compiler.work import begun
from skene_dagster.delivery import modes
from skene_dagster.delivery.reconcile import Reconciled, is_wanted, reconcile
from skene_dagster.errors import SkeneError
from skene_dagster.loops.plan import LoopPlan
from skene_dagster.settings import Settings
from skene_dagster.store import schema
from skene_dagster.store.engine import database_clock

NAME = "skene__reconcile"
"""The job and its sensor; two underscores, so no loop can be named so."""

LOOK_EVERY = 60
"""Seconds between two looks at what is open."""


def reconciling(plans: Sequence[LoopPlan], settings: Settings) -> dg.Definitions:
    """Define the job and its sensor, which is on from the start.

    Args:
        plans: the loops that are well.
    """

    @dg.op(
        name=f"{NAME}__look",
        description="Send again, under its own key, what an attempt left without answer; where the key can tell "
        "nothing more, ask the provider's records, and ask them on about what is in doubt. Nobody is mailed twice.",
        out=dg.Out(dg.Nothing),
        retry_policy=dg.RetryPolicy(max_retries=2, delay=30.0, backoff=dg.Backoff.EXPONENTIAL),
    )
    def look(context: dg.OpExecutionContext, database: dg.ResourceParam[Engine]) -> None:
        with begun(context, database, settings) as work:
            try:
                with work.session() as session:
                    found = reconcile(session, plans)
            finally:
                report_doubts(context.instance, database, plans, work.mode.name)
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
        description="Starts the reconcile job when a batch that a run left behind (without answer, cut out of another, "
        "in doubt) has been due for two minutes and no run holds it, and when a step is gone that still has emails to "
        "send. Fails the runs whose process was killed, together with what watched over them.",
    )
    def sensor(
        context: dg.SensorEvaluationContext, database: dg.ResourceParam[Engine]
    ) -> Iterator[dg.SkipReason | dg.RunRequest]:
        dead_runs.fail_the_dead(context.instance)
        if is_on_its_way(context.instance, NAME):
            yield dg.SkipReason("A reconcile run is on its way.")
            return
        try:
            wanted = _is_wanted(database, settings, plans)
        except SkeneError as error:
            yield dg.SkipReason(str(error))
            return
        if not wanted:
            yield dg.SkipReason("Nothing was left behind that can go on now.")
            return
        yield dg.RunRequest()

    return dg.Definitions(jobs=[job], sensors=[sensor])


def _is_wanted(database: Engine, settings: Settings, plans: Sequence[LoopPlan]) -> bool:
    if not schema.is_ready(database):
        return False
    mode = modes.choose(settings)
    return is_wanted(database, mode.name, database_clock(database), plans)


def _told(found: Reconciled) -> str:
    parked = f" Parked: {found.parked}." if found.parked else ""
    left = f"{found.unresolved:,} still without answer, {found.in_doubt:,} in doubt"
    return f"{found.looked_at:,} batches worked on; {left}.{parked}"
