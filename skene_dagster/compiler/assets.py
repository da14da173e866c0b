"""The assets of a loop: its segments, and the product's tables that they are read from."""

from collections.abc import Iterable
from functools import partial

import dagster as dg
from sqlalchemy import Engine

from skene_dagster.checks import unreadable
from skene_dagster.compiler import descriptions, metadata
from skene_dagster.compiler.catalog.catalog import Catalog
from skene_dagster.compiler.catalog.freshness import freshness
from skene_dagster.compiler.jobs.rollup import is_used, keys_read
from skene_dagster.compiler.names import (
    TIDB_USAGE,
    asset_key,
    code_version,
    entitlements_key,
    segment_key,
    sends_key,
    table_key,
)
from skene_dagster.compiler.retry_policy import retry_policy
from skene_dagster.compiler.work import begun
from skene_dagster.delivery.blocking.entitlements import blocked_now, entitle
from skene_dagster.loops.all_loops import Compared
from skene_dagster.loops.plan import LoopPlan, Query, StepPlan, segment_name
from skene_dagster.loops.triggers import After, Materialized, Rows
from skene_dagster.segments import members
from skene_dagster.segments.conditions import subject
from skene_dagster.segments.refresh import refresh
from skene_dagster.segments.triggers import finding, trigger_rows
from skene_dagster.settings import OWN_EVENTS, Settings
from skene_dagster.store.engine import reading
from skene_dagster.store.server.capabilities import capabilities
from skene_dagster.versions import history

TABLES = "product_tables"
"""The group of the source tables."""


def segment_spec(plan: LoopPlan, step: StepPlan, settings: Settings) -> dg.AssetSpec:
    """Describe a step's segment."""
    return dg.AssetSpec(
        segment_key(plan, step),
        group_name=plan.name,
        kinds=kinds(settings),
        description=descriptions.segment(plan, step),
        metadata=metadata.of_segment(plan, step),
        deps=_upstream(plan, step),
        code_version=code_version(step),
        freshness_policy=freshness(plan, step),
    )


def segment_asset(plan: LoopPlan, step: StepPlan, settings: Settings, catalog: Catalog) -> dg.AssetsDefinition:
    """Define the asset of a step's segment; its run updates members, entries and exits in the database."""
    spec = catalog.spec(segment_key(plan, step))

    @dg.multi_asset(specs=[spec], name=spec.key.to_python_identifier(), retry_policy=retry_policy(plan.recovery))
    def segment(
        context: dg.AssetExecutionContext, skene_database: dg.ResourceParam[Engine]
    ) -> dg.MaterializeResult[None]:
        with begun(context, skene_database, settings, loop=plan.name, step=step.name) as work:
            work.refuse_the_future()
            if step is plan.steps[0]:
                history.note(skene_database, plan, settings, work.as_of)
            bring, newest = refresh, partial(members.sample)
            if step.by_row:
                mode = work.mode.name
                bring, newest = partial(finding.refresh, mode=mode), partial(trigger_rows.sample, mode=mode)
            refreshed = bring(
                skene_database,
                plan=plan,
                step=step,
                settings=settings,
                as_of=work.as_of,
                clock=work.clock,
                run_id=work.run_id,
            )
            name = segment_name(plan.name, step.ledger_name)
            sample = reading(skene_database, partial(newest, segment=name, subject=subject(step)))
            server = capabilities(skene_database)
            bad = reading(skene_database, lambda connection: unreadable.of_step(connection, step, settings))
        context.log.info(descriptions.refreshed(step, refreshed))
        for found in bad:
            context.log.warning("%s", found)
        return dg.MaterializeResult(metadata=metadata.segment(refreshed, sample, server) | metadata.unreadable(bad))

    return segment


def entitlements_spec(plan: LoopPlan, step: StepPlan, settings: Settings) -> dg.AssetSpec:
    """Describe the users whom a step blocks."""
    return dg.AssetSpec(
        entitlements_key(plan, step),
        group_name=plan.name,
        kinds=kinds(settings),
        description=descriptions.entitlements(plan, step),
        metadata=metadata.of_segment(plan, step),
        deps=[segment_key(plan, step)],
        code_version=code_version(step),
    )


def entitlements_asset(plan: LoopPlan, step: StepPlan, settings: Settings, catalog: Catalog) -> dg.AssetsDefinition:
    """Define the asset of the users whom a step blocks: the rows that the product reads."""
    spec = catalog.spec(entitlements_key(plan, step))

    @dg.multi_asset(specs=[spec], name=spec.key.to_python_identifier(), retry_policy=retry_policy(plan.recovery))
    def entitlements(
        context: dg.AssetExecutionContext, skene_database: dg.ResourceParam[Engine]
    ) -> dg.MaterializeResult[None]:
        with begun(context, skene_database, settings, loop=plan.name, step=step.name) as work:
            mode = work.mode
            changed = entitle(
                skene_database,
                plan=plan,
                step=step,
                mode=mode,
                as_of=work.as_of,
                clock=work.clock,
                settings=work.settings,
            )
            blocked = reading(skene_database, lambda connection: blocked_now(connection, plan, step, mode))
        context.log.info(descriptions.entitled(changed, blocked))
        return dg.MaterializeResult(metadata=metadata.entitled(changed, blocked, mode))

    return entitlements


def source_tables(plans: Iterable[Compared], settings: Settings) -> list[dg.AssetSpec]:
    """Declare the product's tables that conditions read. They are not ours: Dagster shows them and runs nothing."""
    plans = list(plans)
    read = {table for plan in plans for step in plan.steps for table in _tables(step)}
    read |= {table for plan in plans for goal in plan.goals if goal.query is not None for table in goal.query.tables}
    tables = sorted(read | ({settings.events.table} if is_used(plans, settings) else set()))
    return [
        dg.AssetSpec(
            table_key(table),
            group_name=TABLES,
            kinds=kinds(settings),
            description=f"The product's own table `{table}`. It is read where it is; nothing is copied.",
            deps=[TIDB_USAGE] if settings.tidb_usage is not None and table == OWN_EVENTS.table else [],
        )
        for table in tables
    ]


def _upstream(plan: LoopPlan, step: StepPlan) -> list[dg.AssetKey]:
    """Name what a segment is read from."""
    keys = [*(table_key(table) for table in _tables(step)), *keys_read(step)]
    if isinstance(step.trigger, After):
        parent = plan.step(step.trigger.step)
        keys.append(sends_key(plan, parent))
    if isinstance(step.trigger, Materialized):
        keys += [asset_key(name) for name in step.trigger.assets]
    return keys


def _tables(step: StepPlan) -> tuple[str, ...]:
    read = set(step.condition.tables) if isinstance(step.condition, Query) else set()
    return tuple(sorted(read | ({step.trigger.table} if isinstance(step.trigger, Rows) else set())))


def kinds(settings: Settings) -> set[str]:
    """Say what the tables are that an asset keeps."""
    return {"sqlite" if settings.database_url.startswith("sqlite") else "tidb", "sql"}
