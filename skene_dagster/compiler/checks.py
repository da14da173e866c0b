"""What Dagster shows as passed or failed about a step's emails. The checks only report; the ledger enforces."""

from collections.abc import Sequence

import dagster as dg
from sqlalchemy import Engine

from skene_dagster.compiler.names import sends_key
from skene_dagster.delivery import ledger, modes
from skene_dagster.delivery.ledger import StepScope
from skene_dagster.loops.plan import LoopPlan, StepPlan
from skene_dagster.settings import Settings
from skene_dagster.store.engine import reading

IN_DOUBT = "nothing_in_doubt"

_WHAT = "No email of this step is in doubt (it may or may not have been sent)."


def doubt_check(plan: LoopPlan, step: StepPlan, settings: Settings) -> dg.AssetChecksDefinition:
    """Define the check that no email of a step is in doubt. A failure is a warning: the step itself goes on."""

    @dg.asset_check(asset=sends_key(plan, step), name=IN_DOUBT, description=_WHAT)
    def nothing_in_doubt(database: dg.ResourceParam[Engine]) -> dg.AssetCheckResult:
        n = _in_doubt(database, StepScope(modes.choose(settings).name, plan.name, step.ledger_name))
        return dg.AssetCheckResult(
            passed=n == 0, severity=dg.AssetCheckSeverity.WARN, metadata=_metadata(plan, n), description=_told(n)
        )

    return nothing_in_doubt


def report_doubts(instance: dg.DagsterInstance, database: Engine, plans: Sequence[LoopPlan], mode: str) -> None:
    """Report the check again for every step, so that it turns green without a run of the loop."""
    for plan in plans:
        for step in plan.steps:
            if step.email is None:
                continue
            n = _in_doubt(database, StepScope(mode, plan.name, step.ledger_name))
            instance.report_runless_asset_event(
                dg.AssetCheckEvaluation(
                    asset_key=sends_key(plan, step),
                    check_name=IN_DOUBT,
                    passed=n == 0,
                    severity=dg.AssetCheckSeverity.WARN,
                    metadata=_metadata(plan, n),
                    description=_told(n),
                )
            )


def _in_doubt(database: Engine, scope: StepScope) -> int:
    return reading(database, lambda connection: ledger.emails_in_doubt(connection, scope))


def _metadata(plan: LoopPlan, n: int) -> dict[str, dg.MetadataValue]:
    found: dict[str, dg.MetadataValue] = {"in_doubt": dg.MetadataValue.int(n)}
    if n:
        found["what_to_do"] = dg.MetadataValue.text(f"skene-dagster doubts {plan.name}")
    return found


def _told(n: int) -> str:
    return f"{n:,} emails are in doubt." if n else "Nothing is in doubt."
