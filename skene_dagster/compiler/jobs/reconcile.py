"""The reconcile job: it settles what a run left without an answer, whatever its loop's cron."""

from collections.abc import Sequence

import dagster as dg
from sqlalchemy import Engine

from skene_dagster.compiler.catalog.catalog import Catalog
from skene_dagster.compiler.checks import report_doubts
from skene_dagster.compiler.retry_policy import EXECUTOR
from skene_dagster.compiler.work import Resources, begun
from skene_dagster.delivery.reconcile import Reconciled, reconcile
from skene_dagster.loops.plan import LoopPlan
from skene_dagster.settings import Settings

NAME = "skene__reconcile"
"""The job. Two underscores: no loop can have this name."""


def reconciling(
    plans: Sequence[LoopPlan], settings: Settings, resources: Resources, catalog: Catalog
) -> dg.JobDefinition:
    """Define the job; `wake` starts it.

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
    def look(context: dg.OpExecutionContext, skene_database: dg.ResourceParam[Engine]) -> None:
        with begun(context, skene_database, settings) as work:
            try:
                with work.session() as session:
                    found = reconcile(session, plans)
            finally:
                report_doubts(context.instance, skene_database, plans, work.mode.name, catalog)
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

    @dg.job(
        name=NAME,
        resource_defs=resources,
        executor_def=EXECUTOR,
        description="Settles what runs have left without an answer, and checks what is in doubt.",
    )
    def job() -> None:
        look()

    return job


def _told(found: Reconciled) -> str:
    why = f" Stopped because: {found.stopped_because}." if found.stopped_because else ""
    left = f"{found.unresolved:,} still without an answer, {found.in_doubt:,} in doubt"
    return f"{found.looked_at:,} batches worked on; {left}.{why}"
