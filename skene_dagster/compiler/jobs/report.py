"""The report, written each day once everything is measured."""

from collections.abc import Sequence

import dagster as dg
from sqlalchemy import Engine

from skene_dagster.compiler.names import REPORT, outcomes_key
from skene_dagster.compiler.retry_policy import RETRIES
from skene_dagster.compiler.work import begun
from skene_dagster.loops.plan import LoopPlan
from skene_dagster.settings import Settings
from skene_dagster.versions import history

GROUP = "measuring"
"""No loop's: what is about all of them."""


def report_asset(plans: Sequence[LoopPlan], settings: Settings) -> dg.AssetsDefinition:
    """Define the asset of the page that `skene-dagster report` writes, too."""

    @dg.asset(
        key=REPORT,
        group_name=GROUP,
        kinds={"html"},
        description="What needs a person, what the loops did, and whether it worked: one page, `.skene/report.html`.",
        deps=[outcomes_key(plan) for plan in plans],
        retry_policy=RETRIES,
    )
    def report(context: dg.AssetExecutionContext, database: dg.ResourceParam[Engine]) -> dg.MaterializeResult[None]:
        # A code location that only loads needs neither the project's files again, nor what draws charts.
        from skene_dagster.project import load_project  # noqa: PLC0415
        from skene_dagster.report.numbers import read  # noqa: PLC0415
        from skene_dagster.report.page import FILE, TITLE, save  # noqa: PLC0415

        with begun(context, database, settings) as work:
            project = load_project(settings)
            if not project.broken:
                # Of a broken file nobody knows which loop is in it.
                history.note_gone(database, [plan.name for plan in project.loops], work.as_of)
            numbers = read(database, settings, project, work.mode.name, work.clock)
        file = settings.root / FILE
        size = save(numbers, file, title=TITLE)
        return dg.MaterializeResult(
            metadata={
                "page": dg.MetadataValue.path(file),
                "needs_you": dg.MetadataValue.int(len(numbers.problems)),
                "bytes": dg.MetadataValue.int(size),
            }
        )

    return report
