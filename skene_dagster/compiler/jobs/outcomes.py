"""What came of the loops, once a day: an asset for each, from the tables of its goals to the difference that it makes.

Not in the loops' own jobs: one that is woken every half minute would ask each time, a paused one never.
"""

from collections.abc import Iterator, Sequence

import dagster as dg
from sqlalchemy import Engine

from skene_dagster.compiler import outcome_reports
from skene_dagster.compiler.assets import kinds
from skene_dagster.compiler.catalog.catalog import Catalog
from skene_dagster.compiler.jobs.report import report_asset
from skene_dagster.compiler.jobs.rollup import KEYS, keys_of_goal
from skene_dagster.compiler.names import MEASURING, REPORT, outcomes_key, sends_key, table_key
from skene_dagster.compiler.retry_policy import EXECUTOR, RETRIES
from skene_dagster.compiler.window import AS_OF, tag_of
from skene_dagster.compiler.work import Work, begun
from skene_dagster.errors import SkeneError
from skene_dagster.loops.all_loops import AllLoops, Compared
from skene_dagster.loops.plan import LoopPlan
from skene_dagster.outcomes.comparisons import LoopOutcome, outcomes_of
from skene_dagster.outcomes.windows import give_up, measure
from skene_dagster.settings import Settings
from skene_dagster.store.engine import reading
from skene_dagster.wording import without_addresses

NAME = "skene__outcomes"
"""The job and its schedule. Two underscores: no loop can have this name."""


def outcomes_spec(plan: Compared, plans: Sequence[LoopPlan], settings: Settings) -> dg.AssetSpec:
    """Describe what came of a loop, or of all together."""
    return dg.AssetSpec(
        outcomes_key(plan),
        group_name=MEASURING if isinstance(plan, AllLoops) else plan.name,
        kinds=kinds(settings),
        description=outcome_reports.description(plan),
        deps=_upstream(plan, plans),
        skippable=True,
    )


def compared(plans: Sequence[LoopPlan], all_loops: AllLoops) -> list[Compared]:
    """List what has a comparison of its own."""
    return [*plans, *([all_loops] if all_loops.is_asked_for else [])]


def outcome_definitions(
    plans: Sequence[LoopPlan], all_loops: AllLoops, settings: Settings, catalog: Catalog, *, all_well: bool
) -> dg.Definitions:
    """Define the assets, the job that makes them, and its schedule, which is on from the start.

    Args:
        plans: the loops without errors.
        all_loops: what is measured of them together.
        all_well: there are no others. Only then is it known that a goal is gone.
    """
    if not plans:
        return dg.Definitions()
    measured = compared(plans, all_loops)
    asset = _assets(measured, settings, catalog, all_well=all_well)
    counted = KEYS if any(keys_of_goal(goal) for plan in measured for goal in plan.goals) else ()
    made = catalog.keys([*(outcomes_key(plan) for plan in measured), *counted, REPORT])
    job = dg.define_asset_job(
        NAME,
        selection=dg.AssetSelection.assets(*made),
        executor_def=EXECUTOR,
        description="Measures what came of all loops, and writes the report.",
    )

    @dg.schedule(
        name=NAME,
        job=job,
        cron_schedule=f"{settings.report.at.minute} {settings.report.at.hour} * * *",
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING,
    )
    def daily(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
        moment = tag_of(context.scheduled_execution_time)
        return dg.RunRequest(run_key=moment, tags={AS_OF: moment})

    return dg.Definitions(assets=[asset, report_asset(settings, catalog)], jobs=[job], schedules=[daily])


def _assets(plans: Sequence[Compared], settings: Settings, catalog: Catalog, *, all_well: bool) -> dg.AssetsDefinition:
    by_key = {catalog.key(outcomes_key(plan)): plan for plan in plans}

    # Dagster, 2026-11: an op may not have the name of a job; this fails only when the code location is loaded.
    @dg.multi_asset(
        name="skene__measure",
        specs=[catalog.spec(outcomes_key(plan)) for plan in plans],
        check_specs=[spec for key, plan in by_key.items() for spec in outcome_reports.check_specs(key, plan)],
        can_subset=True,
        retry_policy=RETRIES,
    )
    def outcomes(
        context: dg.AssetExecutionContext, skene_database: dg.ResourceParam[Engine]
    ) -> Iterator[dg.MaterializeResult[None]]:
        with begun(context, skene_database, settings) as work:
            work.refuse_the_future()
            chosen = {key: plan for key, plan in by_key.items() if key in context.selected_asset_keys}
            failed: list[SkeneError] = []
            for key, plan in chosen.items():
                try:
                    found = _measure(work, plan)
                except SkeneError as error:
                    # What is wrong with one loop keeps nobody from measuring the others.
                    context.log.warning("%s is not measured. %s", _shown(plan), without_addresses(str(error)))
                    failed.append(error)
                else:
                    yield _result(key, plan, found)
            if all_well and len(chosen) == len(plans):
                ended = give_up(skene_database, work.mode.name, plans)
                if ended:
                    context.log.info("%s windows end unasked: their goal is gone.", f"{ended:,}")
            if failed:
                raise failed[0]

    return outcomes


def _shown(plan: Compared) -> str:
    return "What all loops do together" if isinstance(plan, AllLoops) else plan.name


def _upstream(plan: Compared, plans: Sequence[LoopPlan]) -> list[dg.AssetKey]:
    loops = plans if isinstance(plan, AllLoops) else [plan]
    sends = [sends_key(loop, step) for loop in loops for step in loop.steps if step.email is not None]
    tables = {table for goal in plan.goals if goal.query is not None for table in goal.query.tables}
    counted = {key for goal in plan.goals for key in keys_of_goal(goal)}
    return [*sends, *(table_key(table) for table in sorted(tables)), *sorted(counted)]


def _measure(work: Work, plan: Compared) -> tuple[LoopOutcome, ...]:
    mode = work.mode.name
    for goal in plan.goals:
        done = measure(work.database, plan=plan, goal=goal, settings=work.settings, mode=mode, as_of=work.as_of)
        work.context.log.info("%s: %s people asked.", _shown(plan), f"{done.asked:,}")
    late = work.settings.events.late
    return reading(work.database, lambda connection: outcomes_of(connection, plan, mode, as_of=work.as_of, late=late))


def _result(key: dg.AssetKey, plan: Compared, found: tuple[LoopOutcome, ...]) -> dg.MaterializeResult[None]:
    return dg.MaterializeResult(
        asset_key=key,
        metadata=outcome_reports.metadata(found),
        check_results=[outcome_reports.measured(key, plan, found), outcome_reports.no_harm(key, found)],
    )
