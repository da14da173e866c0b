"""The emails of a step, a graph-asset of two ops: `reserve` decides, `deliver` sends, the ledger records both."""

from collections.abc import Callable, Sequence
from typing import Any

import dagster as dg
from sqlalchemy import Engine

from skene_dagster.compiler import checks, descriptions, metadata
from skene_dagster.compiler.catalog.catalog import Catalog, as_arguments
from skene_dagster.compiler.names import code_version, op_name, segment_key, sends_key
from skene_dagster.compiler.retry_policy import retry_policy
from skene_dagster.compiler.work import begun
from skene_dagster.delivery import ledger
from skene_dagster.delivery.decide.reserve import reserve
from skene_dagster.delivery.email.templates import Templates
from skene_dagster.delivery.health import RECENT
from skene_dagster.delivery.ledger import scope_of
from skene_dagster.delivery.send import deliver
from skene_dagster.loops.plan import LoopPlan, StepPlan
from skene_dagster.settings import Settings
from skene_dagster.store.engine import reading
from skene_dagster.wording import how_many

LOG_EVERY = 5_000
"""How many members or emails a line of the run's log stands for; each line costs 2.5 ms (measured 2026-11)."""


def sends_spec(plan: LoopPlan, step: StepPlan) -> dg.AssetSpec:
    """Describe a step's emails."""
    return dg.AssetSpec(
        sends_key(plan, step),
        group_name=plan.name,
        kinds={"email"},
        description=descriptions.sends(plan, step),
        metadata=metadata.of_sends(plan, step),
        deps=[segment_key(plan, step)],
        code_version=code_version(step),
    )


def sends_asset(
    plan: LoopPlan, step: StepPlan, settings: Settings, loops: Sequence[LoopPlan], catalog: Catalog
) -> dg.AssetsDefinition:
    """Define the graph-asset of a step's emails, downstream of its segment.

    Args:
        loops: those of the project, its own among them.
    """
    key = catalog.key(sends_key(plan, step))
    reserving = _reserve_op(plan, step, settings, loops, key)
    delivering = _deliver_op(plan, step, settings)
    may_send = checks.gates_spec(key)

    @dg.graph_asset(
        ins={"segment": dg.AssetIn(key=catalog.key(segment_key(plan, step)), dagster_type=dg.Nothing)},
        check_specs=[may_send],
        **as_arguments(catalog.spec(sends_key(plan, step))),
    )
    def sends(segment: Any) -> Any:
        reserved = reserving(segment)
        # Dagster, 2026-11: a check needs an output of the graph; what it found is an event of the op.
        return {"result": delivering(reserved), may_send.get_python_identifier(): reserved}

    return sends


def _reserve_op(
    plan: LoopPlan, step: StepPlan, settings: Settings, loops: Sequence[LoopPlan], key: dg.AssetKey
) -> dg.OpDefinition:
    @dg.op(
        name=op_name(plan, step, "reserve"),
        description="Reserve: decides about users who are new or due, records each decision with its reason, and makes "
        "the batches. Nothing is sent here; running it again decides nothing twice.",
        ins={"segment": dg.In(dg.Nothing)},
        out=dg.Out(dg.Nothing),
        retry_policy=retry_policy(plan.recovery),
    )
    def reserve_members(context: dg.OpExecutionContext, skene_database: dg.ResourceParam[Engine]) -> None:
        with begun(context, skene_database, settings, loop=plan.name, step=step.name) as work:
            mode = work.mode
            context.log.info("Emails go to: %s (%s).", mode.name, mode.why)
            reserved = reserve(
                skene_database,
                plan=plan,
                step=step,
                settings=settings,
                mode=mode,
                as_of=work.as_of,
                clock=work.clock,
                others=loops,
                progress=_telling(context, "members decided"),
            )
        context.log.info(descriptions.counted("Reserved", reserved.counts))
        if reserved.hold is not None:
            context.log.warning("Nobody is mailed. %s", descriptions.held(plan, step, reserved.hold))
        # Dagster, 2026-11: its types do not say so, but it takes the evaluation of a check.
        context.log_event(checks.gates(plan, step, reserved, key))  # type: ignore[arg-type]
        context.add_output_metadata(metadata.reserved(reserved, mode))

    return reserve_members


def _deliver_op(plan: LoopPlan, step: StepPlan, settings: Settings) -> dg.OpDefinition:
    @dg.op(
        name=op_name(plan, step, "deliver"),
        description="Deliver: hands every open batch of the step to the provider, each under its own key, and records "
        "the answer. Running it again sends nothing twice.",
        ins={"reserved": dg.In(dg.Nothing)},
        out=dg.Out(dg.Nothing),
        retry_policy=retry_policy(plan.recovery),
    )
    def send(context: dg.OpExecutionContext, skene_database: dg.ResourceParam[Engine]) -> None:
        with begun(context, skene_database, settings, loop=plan.name, step=step.name) as work:
            mode = work.mode
            with work.session() as session:
                delivered = deliver.deliver(
                    session,
                    plan=plan,
                    step=step,
                    templates=Templates(settings.templates, settings.root),
                    progress=_telling(context, "emails worked on"),
                )
            scope = scope_of(mode.name, plan, step)
            counts = reading(skene_database, lambda connection: ledger.counts(connection, scope, work.as_of))
            since = (work.clock() - RECENT).date()
            receipts = reading(skene_database, lambda connection: ledger.counted_since(connection, scope, since))
        context.log.info(descriptions.delivered(delivered.accepted, counts))
        if delivered.open and not delivered.stopped_because:
            left = how_many(delivered.open, "batch", "batches")
            context.log.info("Not sent yet: %s. skene-dagster status says until when.", left)
        context.add_output_metadata(metadata.sends(delivered, counts, mode, settings) | metadata.came_back(receipts))

    return send


def _telling(context: dg.OpExecutionContext, what: str) -> Callable[[int], None]:
    """Return a function that adds up counts, and writes a line to the run's log now and then."""
    total = 0

    def tell(more: int) -> None:
        nonlocal total
        before, total = total, total + more
        if before // LOG_EVERY != total // LOG_EVERY:
            context.log.info("%s %s", f"{total:,}", what)

    return tell
