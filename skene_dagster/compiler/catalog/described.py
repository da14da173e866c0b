"""Every asset of a project, described before one is built, so that each can be named otherwise."""

from collections.abc import Iterator, Sequence

import dagster as dg

from skene_dagster.compiler.assets import entitlements_spec, kinds, segment_spec, source_tables
from skene_dagster.compiler.catalog.catalog import About, Catalog, Mount
from skene_dagster.compiler.jobs.outcomes import compared, outcomes_spec
from skene_dagster.compiler.jobs.report import report_spec
from skene_dagster.compiler.jobs.rollup import usage_specs
from skene_dagster.compiler.jobs.tidb_usage import tidb_usage_specs
from skene_dagster.compiler.ops import sends_spec
from skene_dagster.loops.all_loops import AllLoops
from skene_dagster.loops.plan import Block, LoopPlan
from skene_dagster.settings import Settings


def catalog_of(plans: Sequence[LoopPlan], all_loops: AllLoops, settings: Settings, mount: Mount) -> Catalog:
    """Describe the assets of a project; a table that others make is not described."""
    catalog = Catalog(mount)
    for spec, about in _described(plans, all_loops, settings):
        if about.kind != "table" or not catalog.is_theirs(spec.key):
            catalog.add(spec, about)
    return catalog


def _described(
    plans: Sequence[LoopPlan], all_loops: AllLoops, settings: Settings
) -> Iterator[tuple[dg.AssetSpec, About]]:
    for plan in plans:
        for step in plan.steps:
            yield segment_spec(plan, step, settings), About("segment", plan.name, step.name)
            if isinstance(step.action, Block):
                yield entitlements_spec(plan, step, settings), About("entitlements", plan.name, step.name)
            if step.email is not None:
                yield sends_spec(plan, step), About("sends", plan.name, step.name)
    measured = compared(plans, all_loops)
    for one in measured:
        yield outcomes_spec(one, plans, settings), About("outcomes", "" if isinstance(one, AllLoops) else one.name)
    yield report_spec(measured), About("report")
    for spec in usage_specs(settings, kinds(settings)):
        yield spec, About("usage")
    collected, source = tidb_usage_specs()
    yield collected, About("usage")
    for table in [source, *source_tables([*plans, all_loops], settings)]:
        yield table, About("table")
