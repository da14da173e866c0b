"""What Dagster shows as passed or failed about a step's emails, and what became of the recent ones.

The checks only report; the ledger enforces.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import dagster as dg
from sqlalchemy import Connection, Engine

from skene_dagster.compiler import descriptions
from skene_dagster.compiler.catalog.catalog import Catalog
from skene_dagster.compiler.metadata import Metadata, came_back
from skene_dagster.compiler.names import sends_key
from skene_dagster.delivery import ledger, modes
from skene_dagster.delivery.decide.reserve import Reserved
from skene_dagster.delivery.health import RECENT
from skene_dagster.delivery.ledger import ReceiptCounts, StepScope, scope_of
from skene_dagster.loops.plan import LoopPlan, StepPlan
from skene_dagster.settings import Settings
from skene_dagster.store.engine import database_clock, reading

IN_DOUBT = "nothing_in_doubt"

MAY_SEND = "may_send"

WAITS_FOR_A_PERSON = frozenset({"paused", "first_wave"})
"""Why nobody is mailed though nothing is wrong: a warning."""

_WHAT = "No email of this step is in doubt (it may or may not have been sent)."


def doubt_check(plan: LoopPlan, step: StepPlan, settings: Settings, catalog: Catalog) -> dg.AssetChecksDefinition:
    """Define the check that no email of a step is in doubt. A failure is a warning: the step itself goes on."""

    @dg.asset_check(asset=catalog.key(sends_key(plan, step)), name=IN_DOUBT, description=_WHAT)
    def nothing_in_doubt(skene_database: dg.ResourceParam[Engine]) -> dg.AssetCheckResult:
        found = _look(skene_database, scope_of(modes.choose(settings).name, plan, step))
        return dg.AssetCheckResult(
            passed=found.in_doubt == 0,
            severity=dg.AssetCheckSeverity.WARN,
            metadata=_metadata(plan, found),
            description=_told(found.in_doubt),
        )

    return nothing_in_doubt


def gates_spec(key: dg.AssetKey) -> dg.AssetCheckSpec:
    """Declare the check that nothing holds a step. It stops no run: what is open is sent all the same."""
    return dg.AssetCheckSpec(
        MAY_SEND,
        asset=key,
        description="Nothing holds this step: its sources are fresh, and its emails are no more than is usual. "
        "`fresh` and `limits` set what is measured.",
    )


def gates(plan: LoopPlan, step: StepPlan, found: Reserved, key: dg.AssetKey) -> dg.AssetCheckEvaluation:
    """Report what each gate measured, in numbers that Dagster plots, and what holds the step."""
    told: Metadata = {}
    for gate in found.gates:
        told |= {name: dg.MetadataValue.float(float(value)) for name, value in gate.measured.items()}
    hold = found.hold
    if hold is None:
        let_through = [gate for gate in found.gates if gate.is_shut]
        said = "Nothing holds this step."
        if let_through:
            said = f"A person let this tick pass: {', '.join(gate.name for gate in let_through)}."
    else:
        told["held_by"] = dg.MetadataValue.text(", ".join(hold.said) or hold.reason)
        told["waiting"] = dg.MetadataValue.int(found.counts.get(f"deferred:{hold.reason}", 0))
        said = descriptions.held(plan, step, hold)
    is_wrong = hold is not None and hold.reason not in WAITS_FOR_A_PERSON
    return dg.AssetCheckEvaluation(
        asset_key=key,
        check_name=MAY_SEND,
        passed=hold is None,
        severity=dg.AssetCheckSeverity.ERROR if is_wrong else dg.AssetCheckSeverity.WARN,
        metadata=told,
        description=said,
    )


def report_doubts(
    instance: dg.DagsterInstance, database: Engine, plans: Sequence[LoopPlan], mode: str, catalog: Catalog
) -> None:
    """Report the check again for every step, so that it turns green without a run of the loop."""
    for plan in plans:
        for step in plan.steps:
            if step.email is None:
                continue
            found = _look(database, scope_of(mode, plan, step))
            instance.report_runless_asset_event(
                dg.AssetCheckEvaluation(
                    asset_key=catalog.key(sends_key(plan, step)),
                    check_name=IN_DOUBT,
                    passed=found.in_doubt == 0,
                    severity=dg.AssetCheckSeverity.WARN,
                    metadata=_metadata(plan, found),
                    description=_told(found.in_doubt),
                )
            )


@dataclass(frozen=True)
class _Found:
    in_doubt: int
    receipts: ReceiptCounts


def _look(database: Engine, scope: StepScope) -> _Found:
    since = (database_clock(database)() - RECENT).date()

    def look(connection: Connection) -> _Found:
        in_doubt = ledger.emails_in_doubt(connection, scope)
        return _Found(in_doubt, ledger.counted_since(connection, scope, since))

    return reading(database, look)


def _metadata(plan: LoopPlan, found: _Found) -> Metadata:
    told: Metadata = {"in_doubt": dg.MetadataValue.int(found.in_doubt)} | came_back(found.receipts)
    if found.in_doubt:
        told["what_to_do"] = dg.MetadataValue.text(f"skene-dagster doubts {plan.name}")
    return told


def _told(n: int) -> str:
    return f"{n:,} emails are in doubt." if n else "Nothing is in doubt."
