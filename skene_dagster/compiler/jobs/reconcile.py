"""The reconcile job and its sensor: they settle what a run left without an answer, whatever its loop's cron."""

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
"""The job and its sensor. Two underscores: no loop can have this name."""

LOOK_EVERY = 60
"""Seconds between two checks for open batches."""


def reconciling(plans: Sequence[LoopPlan], settings: Settings) -> dg.Definitions:
    """Define the job and its sensor, which is on from the start.

    Args:
        plans: the loops without errors.
    """

    @dg.op(
        name=f"{NAME}__look",
        description="Repeats attempts that got no answer, under the same key. If the key cannot settle one any more, "
        "checks the provider's records, and keeps checking them for what is in doubt. Nobody is mailed twice.",
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
                "stopped_because": found.stopped_because or "done",
            }
        )

    @dg.job(name=NAME, description="Settles what runs have left without an answer, and checks what is in doubt.")
    def job() -> None:
        look()

    @dg.sensor(
        name=NAME,
        # Dagster, 2026-11: given the job itself instead of its name, it warns about an unrelated beta feature.
        job_name=NAME,
        minimum_interval_seconds=LOOK_EVERY,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Starts the reconcile job when a batch that a run left behind (without an answer, split off from "
        "another, in doubt) has been due for two minutes and no run holds it, when the hour has come for which a batch "
        "waited, and when a removed step still has emails to send. Fails runs whose process was killed together with "
        "the process that watched it.",
    )
    def sensor(
        context: dg.SensorEvaluationContext, database: dg.ResourceParam[Engine]
    ) -> Iterator[dg.SkipReason | dg.RunRequest]:
        dead_runs.fail_the_dead(context.instance)
        if is_on_its_way(context.instance, NAME):
            yield dg.SkipReason("A reconcile run is already in progress.")
            return
        try:
            wanted = _is_wanted(database, settings, plans)
        except SkeneError as error:
            yield dg.SkipReason(str(error))
            return
        if not wanted:
            yield dg.SkipReason("Nothing that was left behind is due now.")
            return
        yield dg.RunRequest()

    return dg.Definitions(jobs=[job], sensors=[sensor])


def _is_wanted(database: Engine, settings: Settings, plans: Sequence[LoopPlan]) -> bool:
    if not schema.is_ready(database):
        return False
    mode = modes.choose(settings)
    return is_wanted(database, mode.name, database_clock(database), plans)


def _told(found: Reconciled) -> str:
    why = f" Stopped because: {found.stopped_because}." if found.stopped_because else ""
    left = f"{found.unresolved:,} still without an answer, {found.in_doubt:,} in doubt"
    return f"{found.looked_at:,} batches worked on; {left}.{why}"
