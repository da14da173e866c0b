"""Which users use which TiDB features, as Dagster shows it: an asset that writes events, made each hour."""

import dagster as dg
from sqlalchemy import Engine

from skene_dagster.compiler.assets import TABLES
from skene_dagster.compiler.catalog.catalog import Catalog
from skene_dagster.compiler.jobs.rollup import GROUP
from skene_dagster.compiler.metadata import table
from skene_dagster.compiler.names import TIDB_USAGE, table_key
from skene_dagster.compiler.retry_policy import EXECUTOR, RETRIES
from skene_dagster.compiler.work import begun
from skene_dagster.loops.tidb_features import FEATURES, PREFIX
from skene_dagster.settings import Settings, TidbUsage
from skene_dagster.tracking.collector import Collected, collect

NAME = "skene__tidb_usage"
"""The job and its schedule. Two underscores: no loop can have this name."""

HOURLY = "20 * * * *"
"""A server remembers half a day, and may forget rare statements sooner."""

SOURCE = "information_schema.statements_summary"


def tidb_usage_specs() -> tuple[dg.AssetSpec, dg.AssetSpec]:
    """Describe what is collected, and the server's table that it comes from."""
    collected = dg.AssetSpec(
        TIDB_USAGE,
        group_name=GROUP,
        kinds={"tidb", "sql"},
        deps=[table_key(SOURCE)],
        description="Which users use which of TiDB's own features, from the server's statement summary. Kept "
        "in `skene_events`, as events `tidb:<feature>` of the users that skene.yaml names.",
    )
    source = dg.AssetSpec(
        table_key(SOURCE), group_name=TABLES, kinds={"tidb"}, description="The server's summary of its statements."
    )
    return collected, source


def tidb_usage_definitions(settings: Settings, usage: TidbUsage, catalog: Catalog) -> dg.Definitions:
    """Define the asset, its job and its schedule."""

    # Not an asset of its own, whose op would have the job's name.
    @dg.multi_asset(name="skene__collect", specs=[catalog.spec(TIDB_USAGE)], retry_policy=RETRIES)
    def tidb_usage(
        context: dg.AssetExecutionContext, skene_database: dg.ResourceParam[Engine]
    ) -> dg.MaterializeResult[None]:
        with begun(context, skene_database, settings):
            found = collect(skene_database, usage, settings.users)
        if isinstance(found, str):
            context.log.warning("Nothing was collected: %s.", found)
            return dg.MaterializeResult(metadata={"not_offered": found})
        for warning in _warnings(found):
            context.log.warning(warning)
        return dg.MaterializeResult(metadata=_metadata(found))

    job = dg.define_asset_job(
        NAME,
        selection=dg.AssetSelection.assets(catalog.key(TIDB_USAGE)),
        executor_def=EXECUTOR,
        description="Asks the server who used which TiDB feature.",
    )
    schedule = dg.ScheduleDefinition(
        name=NAME,
        job=job,
        cron_schedule=HOURLY,
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING,
    )
    return dg.Definitions(assets=[catalog.spec(table_key(SOURCE)), tidb_usage], jobs=[job], schedules=[schedule])


def _metadata(found: Collected) -> dict[str, dg.MetadataValue]:
    features: list[dict[str, str | int]] = [
        {"feature": PREFIX + name, "title": FEATURES[name].title, "users": n} for name, n in found.people.items()
    ]
    return {
        "dagster/row_count": dg.MetadataValue.int(found.written),
        "statements": dg.MetadataValue.int(found.statements),
        "features": table(["feature", "title"], ["users"], features),
        "whole_cluster": dg.MetadataValue.bool(found.offer.of_cluster),
        "by_user": dg.MetadataValue.bool(found.offer.by_user),
        "everybody": dg.MetadataValue.bool(found.offer.everybody),
        "forgotten": dg.MetadataValue.int(found.offer.evicted),
        "unmapped_db_users": dg.MetadataValue.text(", ".join(found.unmapped)),
        "unknown_addresses": dg.MetadataValue.int(found.unknown),
    }


def _warnings(found: Collected) -> list[str]:
    told = []
    if not found.offer.everybody:
        told.append("The server shows this database user only its own statements: GRANT PROCESS ON *.* to it.")
    if found.offer.evicted:
        told.append(
            f"The server forgot {found.offer.evicted:,} kinds of statements early: it keeps only "
            "tidb_stmt_summary_max_stmt_count of them."
        )
    if found.unknown:
        # Not the addresses themselves: the event log is no place for them.
        told.append(
            f"{found.unknown} of the addresses under tidb_usage in skene.yaml belong to no user, or to several; "
            "`skene-dagster validate --database` lists them."
        )
    return told
