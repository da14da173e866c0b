"""What users do, as Dagster shows it: activity, and what is computed from it. One rollup makes all four assets."""

from collections.abc import Iterator, Sequence

import dagster as dg
from sqlalchemy import Connection, Engine

from skene_dagster.behaviour import activity, adoption, engagement, milestones
from skene_dagster.behaviour.rollup import roll_up
from skene_dagster.checks import unreadable
from skene_dagster.compiler import metadata
from skene_dagster.compiler.catalog.catalog import Catalog
from skene_dagster.compiler.metadata import Metadata, table
from skene_dagster.compiler.names import table_key
from skene_dagster.compiler.retry_policy import EXECUTOR, RETRIES
from skene_dagster.compiler.window import AS_OF, tag_of
from skene_dagster.compiler.work import begun
from skene_dagster.loops.all_loops import Compared
from skene_dagster.loops.plan import AtLevel, GoalPlan, InState, Query, Reached, StepPlan, UsedUp
from skene_dagster.loops.planning.usage import UsagePlan, plan_usage
from skene_dagster.settings import OWN_EVENTS, Settings
from skene_dagster.store.engine import reading

NAME = "skene__usage"
"""The job and its schedule. Two underscores: no loop can have this name."""

GROUP = "usage"
DAILY = "5 0 * * *"
"""When it is rolled up, if no loop's run does it: just after the end of a day (UTC)."""

ACTIVITY = dg.AssetKey(["skene", "user_activity"])
ADOPTION = dg.AssetKey(["skene", "feature_adoption"])
LEVELS = dg.AssetKey(["skene", "engagement_levels"])
MILESTONES = dg.AssetKey(["skene", "milestones"])
KEYS = (ACTIVITY, ADOPTION, LEVELS, MILESTONES)


def is_used(plans: Sequence[Compared], settings: Settings) -> bool:
    """Whether a condition or a goal uses it, or skene.yaml configures it.

    Events are rolled up before they are deleted.
    """
    if settings.retention.events is not None:
        return True
    if settings.features or settings.milestones or settings.tidb_usage or settings.events != OWN_EVENTS:
        return True
    if any(keys_of_goal(goal) for plan in plans for goal in plan.goals):
        return True
    return any(keys_read(step) for plan in plans for step in plan.steps)


def keys_of_goal(goal: GoalPlan) -> tuple[dg.AssetKey, ...]:
    """Name what a goal reads of it."""
    match goal.kind:
        case "query":
            return ()
        case "level":
            return (LEVELS,)
        case "feature":
            return (ADOPTION,)
        case "returns" | "event":
            return (ACTIVITY,)


def keys_read(step: StepPlan) -> tuple[dg.AssetKey, ...]:
    """Name what a step reads of it: its condition, or who was active last."""
    if step.recipient == "most_recently_active":
        return (ACTIVITY,)
    match step.condition:
        case Query():
            return ()
        case AtLevel():
            return (LEVELS,)
        case InState():
            return (ADOPTION,)
        case Reached():
            return (MILESTONES,)
        case UsedUp():
            return (ACTIVITY,)


def keys_needed(steps: Sequence[StepPlan]) -> list[dg.AssetKey]:
    """Name what has to be rolled up before these steps: all or nothing, because it is one pass."""
    return list(KEYS) if any(keys_read(step) for step in steps) else []


def usage_specs(settings: Settings, kinds: set[str]) -> list[dg.AssetSpec]:
    """Describe what is rolled up."""

    def spec(key: dg.AssetKey, description: str, dep: dg.AssetKey) -> dg.AssetSpec:
        return dg.AssetSpec(key, group_name=GROUP, kinds=kinds, description=description, deps=[dep])

    return [
        spec(
            ACTIVITY,
            "What each user did on each day, and when they were first and last active. Days with new or "
            "late events are counted again. Kept in `skene_user_days` and `skene_user_activity`.",
            table_key(settings.events.table),
        ),
        spec(ADOPTION, "Who has tried, adopted or lapsed from each feature, and since when.", ACTIVITY),
        spec(LEVELS, "Each user's level of engagement, since when, and their earlier levels.", ACTIVITY),
        spec(MILESTONES, "Who has reached which milestone, and on which day: once, for ever.", ACTIVITY),
    ]


def usage_definitions(settings: Settings, catalog: Catalog) -> dg.Definitions:
    """Define the assets, the job that makes them alone, and its schedule.

    Raises:
        SettingsError: what skene.yaml says of it is impossible.
    """
    plan = plan_usage(settings)
    assets = _assets(plan, settings, catalog)
    job = dg.define_asset_job(
        NAME,
        selection=dg.AssetSelection.assets(*catalog.keys(KEYS)),
        executor_def=EXECUTOR,
        description="Rolls up what users do, if no loop's run does.",
    )

    @dg.schedule(
        name=NAME,
        job=job,
        cron_schedule=DAILY,
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING,
    )
    def daily(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
        moment = tag_of(context.scheduled_execution_time)
        return dg.RunRequest(run_key=moment, tags={AS_OF: moment})

    return dg.Definitions(assets=[assets], jobs=[job], schedules=[daily])


def _assets(plan: UsagePlan, settings: Settings, catalog: Catalog) -> dg.AssetsDefinition:
    # Dagster, 2026-11: an op may not have the name of a job; this fails only when the code location is loaded.
    @dg.multi_asset(
        name="skene__rollup",
        specs=[catalog.spec(key) for key in KEYS],
        retry_policy=RETRIES,
    )
    def usage(
        context: dg.AssetExecutionContext, skene_database: dg.ResourceParam[Engine]
    ) -> Iterator[dg.MaterializeResult[None]]:
        with begun(context, skene_database, settings) as work:
            work.refuse_the_future()
            done = roll_up.roll_up(
                skene_database, plan=plan, users=settings.users, as_of=work.as_of, clock=work.clock, run_id=work.run_id
            )
            reports = reading(skene_database, lambda connection: _reports(connection, plan, settings, done))
            bad = reading(skene_database, lambda connection: unreadable.of_usage(connection, settings))
        reports[ACTIVITY] |= metadata.unreadable(bad)
        context.log.info(_told(done))
        for found in bad:
            context.log.warning("%s", found)
        for key, report in reports.items():
            yield dg.MaterializeResult(asset_key=catalog.key(key), metadata=report)

    return usage


def _reports(
    connection: Connection, plan: UsagePlan, settings: Settings, done: roll_up.RolledUp
) -> dict[dg.AssetKey, Metadata]:
    """Report numbers, so that Dagster plots them from tick to tick."""
    sizes = engagement.sizes(connection)
    funnels = adoption.funnels(connection, plan.features, settings.users)
    counts = milestones.counts(connection, plan, done.as_of)
    trend = activity.trend(connection, plan, done.as_of)
    told: Metadata = {
        "dagster/row_count": dg.MetadataValue.int(trend.users),
        "active_today": dg.MetadataValue.int(trend.active_today),
        "active_yesterday": dg.MetadataValue.int(trend.active_before),
        "uses_yesterday": dg.MetadataValue.int(trend.uses_before),
        "as_of": dg.MetadataValue.text(f"{done.as_of} UTC"),
        "seconds": dg.MetadataValue.float(round(done.seconds, 3)),
    }
    if done.users is not None:
        told["users_touched"] = dg.MetadataValue.int(done.users)
    if done.days is not None:
        told["days_counted"] = dg.MetadataValue.int(done.days)
        told["days_too_late"] = dg.MetadataValue.int(done.too_late)
    levels: Metadata = {level: dg.MetadataValue.int(n) for level, n in sizes.items()}
    levels["levels"] = table(["level"], ["users"], [{"level": level, "users": n} for level, n in sizes.items()])
    states = ["untried", "tried", "adopted", "lapsed"]
    adopted: Metadata = {f"{name}/{state}": dg.MetadataValue.int(getattr(found, state))
                         for name, found in funnels.items() for state in states}  # fmt: skip
    adopted["funnel"] = table(["feature"], states, [{"feature": name} | vars(found) for name, found in funnels.items()])
    reached: Metadata = {name: dg.MetadataValue.int(found.ever) for name, found in counts.items()}
    reached["milestones"] = table(
        ["milestone"],
        ["ever", "this_tick"],
        [{"milestone": name, "ever": n.ever, "this_tick": n.recorded_now} for name, n in counts.items()],
    )
    return {ACTIVITY: told, ADOPTION: adopted, LEVELS: levels, MILESTONES: reached}


def _told(done: roll_up.RolledUp) -> str:
    if done.newer is not None:
        return f"Nothing was written: it is already rolled up as of {done.newer} UTC."
    if done.already:
        return "It was already rolled up for this moment."
    if done.everybody:
        stays = f" Days before {done.since} stay as they were counted: their events are deleted." if done.since else ""
        return f"All users were rolled up.{stays}"
    late = f" {done.too_late:,} days with late events stay as they were counted." if done.too_late else ""
    known = f"{done.users or 0:,} users had new events"
    return f"{known}; {done.days or 0:,} days were counted again.{late}"
