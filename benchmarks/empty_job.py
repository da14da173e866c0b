"""What the retention loop is to Dagster, and nothing else: an asset and a graph-asset of two ops that do nothing."""

from typing import Any

import dagster as dg


@dg.asset(key=["empty", "segment"])
def segment() -> dg.MaterializeResult[None]:
    return dg.MaterializeResult()


@dg.op(ins={"segment": dg.In(dg.Nothing)}, out=dg.Out(dg.Nothing))
def reserve() -> None:
    return


@dg.op(ins={"reserved": dg.In(dg.Nothing)}, out=dg.Out(dg.Nothing))
def deliver() -> None:
    return


@dg.graph_asset(key=["empty", "sends"], ins={"segment": dg.AssetIn(key=["empty", "segment"], dagster_type=dg.Nothing)})
def sends(segment: Any) -> Any:
    return deliver(reserve(segment))


defs = dg.Definitions(
    assets=[segment, sends],
    jobs=[dg.define_asset_job("empty", selection=[segment, sends])],
    executor=dg.in_process_executor,
)
