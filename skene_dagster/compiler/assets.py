"""The assets of a loop: its segments, and the product's tables that they are read from."""

from collections.abc import Iterable

import dagster as dg
from sqlalchemy import Engine

from skene_dagster.audience import segments
from skene_dagster.compiler import descriptions, metadata
from skene_dagster.compiler.names import code_version, segment_key, sends_key, table_key
from skene_dagster.compiler.recovery import failing_in_words, retry_policy
from skene_dagster.compiler.window import accepts_change, as_of, refuse_the_future
from skene_dagster.loops.plan import LoopPlan, Query, StepPlan, segment_name
from skene_dagster.settings import Settings
from skene_dagster.store import environment, schema
from skene_dagster.store.engine import database_clock, transaction

TABLES = "product_tables"
"""The group of the source tables."""


def segment_asset(plan: LoopPlan, step: StepPlan, settings: Settings) -> dg.AssetsDefinition:
    """Define the asset of a step's segment; its run brings members, entries and exits up to date in the database."""

    @dg.asset(
        key=segment_key(plan, step),
        group_name=plan.name,
        kinds=_kinds(settings),
        description=descriptions.segment(plan, step),
        metadata=metadata.of_segment(plan, step),
        deps=[table_key(table) for table in _tables(step)],
        code_version=code_version(step),
        retry_policy=retry_policy(plan.recovery),
    )
    def segment(context: dg.AssetExecutionContext, database: dg.ResourceParam[Engine]) -> dg.MaterializeResult[None]:
        with failing_in_words():
            schema.ready(database, settings.users)
            environment.belong(database, settings.environment)
            moment, clock = as_of(context.run, context.instance), database_clock(database)
            refuse_the_future(moment, clock(), settings)
            refreshed = segments.refresh(
                database,
                plan=plan,
                step=step,
                users=settings.users,
                limits=settings.limits,
                as_of=moment,
                clock=clock,
                run_id=context.run.run_id,
                accept_change=accepts_change(context.run),
            )
            name = segment_name(plan.name, step.name)
            sample = transaction(database, lambda connection: segments.sample(connection, name))
        context.log.info(descriptions.refreshed(refreshed))
        return dg.MaterializeResult(metadata=metadata.segment(refreshed, sample))

    return segment


def source_tables(plans: Iterable[LoopPlan], settings: Settings) -> list[dg.AssetSpec]:
    """Declare the product's tables that conditions read. They are not ours: Dagster shows them and runs nothing."""
    tables = sorted({table for plan in plans for step in plan.steps for table in _tables(step)})
    return [
        dg.AssetSpec(
            table_key(table),
            group_name=TABLES,
            kinds=_kinds(settings),
            description=f"The product's own table `{table}`. It is read where it is; nothing is copied.",
        )
        for table in tables
    ]


def not_yet(plan: LoopPlan) -> list[dg.AssetSpec]:
    """Declare a loop that is known but cannot run yet, one asset per step, without anything to run."""
    return [
        dg.AssetSpec(
            sends_key(plan, step),
            group_name=plan.name,
            kinds={"later"},
            description=descriptions.not_yet(plan),
            deps=[table_key(table) for table in _tables(step)],
            metadata=metadata.of_segment(plan, step) | metadata.of_sends(plan, step),
        )
        for step in plan.steps
    ]


def _tables(step: StepPlan) -> tuple[str, ...]:
    return step.condition.tables if isinstance(step.condition, Query) else ()


def _kinds(settings: Settings) -> set[str]:
    return {"sqlite" if settings.database_url.startswith("sqlite") else "tidb", "sql"}
