"""The assets of a loop: its segments, and the product's tables that they are read from."""

from collections.abc import Iterable
from functools import partial

import dagster as dg
from sqlalchemy import Engine

from skene_dagster.checks import unreadable
from skene_dagster.compiler import descriptions, metadata
from skene_dagster.compiler.jobs.rollup import is_used, keys_read
from skene_dagster.compiler.names import TIDB_USAGE, code_version, entitlements_key, segment_key, sends_key, table_key
from skene_dagster.compiler.retry_policy import retry_policy
from skene_dagster.compiler.work import begun
from skene_dagster.delivery.blocking.entitlements import blocked_now, entitle
from skene_dagster.loops.plan import After, LoopPlan, Query, Rows, StepPlan, segment_name
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


def segment_asset(plan: LoopPlan, step: StepPlan, settings: Settings) -> dg.AssetsDefinition:
    """Define the asset of a step's segment; its run updates members, entries and exits in the database."""

    @dg.asset(
        key=segment_key(plan, step),
        group_name=plan.name,
        kinds=_kinds(settings),
        description=descriptions.segment(plan, step),
        metadata=metadata.of_segment(plan, step),
        deps=_upstream(plan, step),
        code_version=code_version(step),
        retry_policy=retry_policy(plan.recovery),
    )
    def segment(context: dg.AssetExecutionContext, database: dg.ResourceParam[Engine]) -> dg.MaterializeResult[None]:
        with begun(context, database, settings, loop=plan.name, step=step.name) as work:
            work.refuse_the_future()
            if step is plan.steps[0]:
                history.note(database, plan, settings, work.as_of)
            bring, newest = refresh, partial(members.sample)
            if step.by_row:
                mode = work.mode.name
                bring, newest = partial(finding.refresh, mode=mode), partial(trigger_rows.sample, mode=mode)
            refreshed = bring(
                database,
                plan=plan,
                step=step,
                settings=settings,
                as_of=work.as_of,
                clock=work.clock,
                run_id=work.run_id,
            )
            name = segment_name(plan.name, step.ledger_name)
            sample = reading(database, partial(newest, segment=name, subject=subject(step)))
            server = capabilities(database)
            bad = reading(database, lambda connection: unreadable.of_step(connection, step, settings))
        context.log.info(descriptions.refreshed(step, refreshed))
        for found in bad:
            context.log.warning("%s", found)
        return dg.MaterializeResult(metadata=metadata.segment(refreshed, sample, server) | metadata.unreadable(bad))

    return segment


def entitlements_asset(plan: LoopPlan, step: StepPlan, settings: Settings) -> dg.AssetsDefinition:
    """Define the asset of the users whom a step blocks: the rows that the product reads."""

    @dg.asset(
        key=entitlements_key(plan, step),
        group_name=plan.name,
        kinds=_kinds(settings),
        description=descriptions.entitlements(plan, step),
        metadata=metadata.of_segment(plan, step),
        deps=[segment_key(plan, step)],
        code_version=code_version(step),
        retry_policy=retry_policy(plan.recovery),
    )
    def entitlements(
        context: dg.AssetExecutionContext, database: dg.ResourceParam[Engine]
    ) -> dg.MaterializeResult[None]:
        with begun(context, database, settings, loop=plan.name, step=step.name) as work:
            mode = work.mode
            changed = entitle(
                database,
                plan=plan,
                step=step,
                mode=mode,
                as_of=work.as_of,
                clock=work.clock,
                settings=work.settings,
            )
            blocked = reading(database, lambda connection: blocked_now(connection, plan, step, mode))
        context.log.info(descriptions.entitled(changed, blocked))
        return dg.MaterializeResult(metadata=metadata.entitled(changed, blocked, mode))

    return entitlements


def source_tables(plans: Iterable[LoopPlan], settings: Settings) -> list[dg.AssetSpec]:
    """Declare the product's tables that conditions read. They are not ours: Dagster shows them and runs nothing."""
    plans = list(plans)
    read = {table for plan in plans for step in plan.steps for table in _tables(step)}
    read |= {table for plan in plans for goal in plan.goals if goal.query is not None for table in goal.query.tables}
    tables = sorted(read | ({settings.events.table} if is_used(plans, settings) else set()))
    return [
        dg.AssetSpec(
            table_key(table),
            group_name=TABLES,
            kinds=_kinds(settings),
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
    return keys


def _tables(step: StepPlan) -> tuple[str, ...]:
    read = set(step.condition.tables) if isinstance(step.condition, Query) else set()
    return tuple(sorted(read | ({step.trigger.table} if isinstance(step.trigger, Rows) else set())))


def _kinds(settings: Settings) -> set[str]:
    return {"sqlite" if settings.database_url.startswith("sqlite") else "tidb", "sql"}
