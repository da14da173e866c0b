"""What things are called in Dagster. Their history belongs to the keys: changing one starts a new history."""

import hashlib

import dagster as dg

from skene_dagster.loops.all_loops import AllLoops, Compared
from skene_dagster.loops.plan import Block, LoopPlan, StepPlan

_TABLES = "tidb"
"""The first part of the keys of the product's tables."""


def segment_key(plan: LoopPlan, step: StepPlan) -> dg.AssetKey:
    """Name the asset of a step's segment."""
    return dg.AssetKey(["skene", plan.name, step.name, "segment"])


def sends_key(plan: LoopPlan, step: StepPlan) -> dg.AssetKey:
    """Name the asset of a step's emails."""
    return dg.AssetKey(["skene", plan.name, step.name, "sends"])


def entitlements_key(plan: LoopPlan, step: StepPlan) -> dg.AssetKey:
    """Name the asset of the users whom a step blocks."""
    return dg.AssetKey(["skene", plan.name, step.name, "entitlements"])


def outcomes_key(plan: Compared) -> dg.AssetKey:
    """Name the asset of what came of a loop, or of all loops together; no loop has a key as short."""
    if isinstance(plan, AllLoops):
        return dg.AssetKey(["skene", "outcomes"])
    return dg.AssetKey(["skene", plan.name, "outcomes"])


def keys_of(plan: LoopPlan, step: StepPlan) -> list[dg.AssetKey]:
    """Name all assets of a step."""
    keys = [segment_key(plan, step)]
    if isinstance(step.action, Block):
        keys.append(entitlements_key(plan, step))
    if step.email is not None:
        keys.append(sends_key(plan, step))
    return keys


MEASURING = "measuring"
"""The group of what is about all loops; no loop's."""

TIDB_USAGE = dg.AssetKey(["skene", "tidb_usage"])
"""The asset that writes events about the use of TiDB features."""


REPORT = dg.AssetKey(["skene", "report"])
"""The asset of the report. No loop's is named so: they all have a further part."""


def table_key(table: str) -> dg.AssetKey:
    """Name the asset of a source table (`table` or `schema.table`); lineage starts there."""
    return dg.AssetKey([_TABLES, *table.split(".")])


def table_of(key: dg.AssetKey) -> str | None:
    """Name the table that `table_key` named; None for another asset's key."""
    first, *table = key.path
    return ".".join(table) if first == _TABLES and table else None


def asset_key(name: str) -> dg.AssetKey:
    """Return the key of somebody else's asset, named as the UI shows it: `dbt/orders`."""
    return dg.AssetKey(name.split("/"))


def op_name(plan: LoopPlan, step: StepPlan, verb: str) -> str:
    """Name an op. Dagster, 2026-11: two ops of one name in a code location are refused, so it includes the loop."""
    return f"{plan.name}__{step.name}__{verb}"


def code_version(step: StepPlan) -> str:
    """Name the version of a step: it changes when what the step says, or the SQL that it becomes, does."""
    return hashlib.sha256(repr(step).encode()).hexdigest()[:12]
