"""What comes back about mail: the job that asks providers which do not tell, and reads what a look has left."""

from collections.abc import Sequence
from dataclasses import asdict

import dagster as dg
from sqlalchemy import Engine

from skene_dagster.compiler.catalog.catalog import Catalog
from skene_dagster.compiler.checks import report_doubts
from skene_dagster.compiler.retry_policy import EXECUTOR
from skene_dagster.compiler.work import Resources, begun
from skene_dagster.delivery.controls import EVERY
from skene_dagster.delivery.providers import registry
from skene_dagster.feedback import breaker
from skene_dagster.feedback.breaker import Judgement
from skene_dagster.feedback.polling import poll
from skene_dagster.feedback.reading import Drained, drain
from skene_dagster.loops.plan import LoopPlan
from skene_dagster.settings import Settings

NAME = "skene__feedback"
"""The job. Two underscores: no loop can have this name."""

ASK_SECONDS = 300.0
"""For which the job reads what it was told, and what else is there."""


def listening(
    plans: Sequence[LoopPlan], settings: Settings, resources: Resources, catalog: Catalog
) -> dg.JobDefinition:
    """Define the job; `wake` starts it.

    Args:
        plans: the loops without errors.
    """

    @dg.op(
        name=f"{NAME}__ask",
        description="Asks providers without a webhook what became of emails, and reads what they say: receipts are "
        "filled in, and who complained is suppressed. Done again, it changes nothing.",
        out=dg.Out(dg.Nothing),
        retry_policy=dg.RetryPolicy(max_retries=2, delay=30.0, backoff=dg.Backoff.EXPONENTIAL),
    )
    def ask(context: dg.OpExecutionContext, skene_database: dg.ResourceParam[Engine]) -> None:
        new, denied = 0, []
        with begun(context, skene_database, settings) as work:
            if work.mode.leaves:
                with work.session() as session:
                    for name in registry.asked(settings):
                        asked = poll(session, name)
                        new += asked.reports
                        denied += [f"{name}: {asked.denied}"] if asked.denied else []
            drained = drain(skene_database, work.clock, seconds=ASK_SECONDS)
            paused = breaker.act(skene_database, work.clock)
            report_doubts(context.instance, skene_database, plans, work.mode.name, catalog)
        context.log.info(told(drained, paused))
        said = {"denied": "; ".join(denied) or "nothing", "paused": _in_words(paused) or "nothing"}
        context.add_output_metadata({"new": new, **asdict(drained), **said})

    @dg.job(
        name=NAME,
        resource_defs=resources,
        executor_def=EXECUTOR,
        description="Asks providers without a webhook what became of emails, and reads what they say.",
    )
    def job() -> None:
        ask()

    return job


def told(drained: Drained, paused: Sequence[Judgement]) -> str:
    """Say what was read, and what was paused for it."""
    failed = f" {drained.failed:,} could not be read." if drained.failed else ""
    return (
        f"{drained.events:,} events read, {drained.waiting:,} wait for their email to be known as accepted; "
        f"{drained.suppressed:,} recipients suppressed.{failed}{f' Paused: {_in_words(paused)}.' if paused else ''}"
    )


def _in_words(paused: Sequence[Judgement]) -> str:
    return "; ".join(f"{'all loops' if one.loop == EVERY else one.loop}: {one.words}" for one in paused)
