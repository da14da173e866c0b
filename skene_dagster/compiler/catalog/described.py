"""Every asset of a project, described before one is built, so that each can be named otherwise."""

from collections.abc import Iterable, Sequence

import dagster as dg

from skene_dagster.compiler.assets import entitlements_spec, kinds, segment_spec, source_tables
from skene_dagster.compiler.catalog.catalog import About, Catalog
from skene_dagster.compiler.jobs.outcomes import compared, outcomes_spec
from skene_dagster.compiler.jobs.report import report_spec
from skene_dagster.compiler.jobs.rollup import usage_specs
from skene_dagster.compiler.jobs.tidb_usage import tidb_usage_specs
from skene_dagster.compiler.ops import sends_spec
from skene_dagster.loops.all_loops import AllLoops
from skene_dagster.loops.plan import Block, LoopPlan
from skene_dagster.settings import Settings


def describe_usage(catalog: Catalog, settings: Settings) -> None:
    """Describe what is known of what users do, which conditions of loops read."""
    for spec in usage_specs(settings, kinds(settings)):
        catalog.add(spec, About("usage"))
    collected, source = tidb_usage_specs()
    catalog.add(collected, About("usage"))
    _describe_tables(catalog, [source])


def describe_loop(catalog: Catalog, plan: LoopPlan, settings: Settings) -> None:
    """Describe the assets of a loop, and the tables that it reads; one that others make is not described."""
    for step in plan.steps:
        catalog.add(segment_spec(plan, step, settings), About("segment", plan.name, step.name))
        if isinstance(step.action, Block):
            catalog.add(entitlements_spec(plan, step, settings), About("entitlements", plan.name, step.name))
        if step.email is not None:
            catalog.add(sends_spec(plan, step), About("sends", plan.name, step.name))
    catalog.add(outcomes_spec(plan, [plan], settings), About("outcomes", plan.name))
    _describe_tables(catalog, source_tables([plan], settings))


def describe_shared(catalog: Catalog, plans: Sequence[LoopPlan], all_loops: AllLoops, settings: Settings) -> None:
    """Describe what is measured of all loops together, and the tables that this reads.

    Args:
        plans: the loops that are described.
    """
    if all_loops.is_asked_for:
        catalog.add(outcomes_spec(all_loops, plans, settings), About("outcomes"))
    catalog.add(report_spec(compared(plans, all_loops)), About("report"))
    _describe_tables(catalog, source_tables([*plans, all_loops], settings))


def _describe_tables(catalog: Catalog, tables: Iterable[dg.AssetSpec]) -> None:
    for table in tables:
        if not catalog.is_theirs(table.key) and not catalog.has(table.key):
            catalog.add(table, About("table"))
