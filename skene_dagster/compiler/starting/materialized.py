"""Whether Dagster has materialized the assets that a step waits for."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import dagster as dg

from skene_dagster.compiler.catalog.catalog import Catalog
from skene_dagster.compiler.names import asset_key
from skene_dagster.loops.triggers import Materialized


@dataclass(frozen=True)
class Looked:
    """What a look found."""

    starts: bool
    """A run is to be started now."""
    cursor: str | None
    """What the next look is to be given."""
    said: str = "Nothing new."
    """Why not, where none is."""


def look(instance: dg.DagsterInstance, trigger: Materialized, catalog: Catalog, before: str | None) -> Looked:
    """Compare the assets' last materializations with those that there were when the last run was started.

    The first look only remembers them: a new loop waits for the next one, as it waits for the next tick of a schedule.
    So does an asset that a trigger names anew. Many materializations since then start one run.
    """
    keys = {name: catalog.key(asset_key(name)) for name in trigger.assets}
    last = dict.fromkeys(trigger.assets) | _last_of(instance, keys)
    seen = {name: json.loads(before or "{}").get(name, number) for name, number in last.items()}
    waits_for = tuple(name for name, number in last.items() if number == seen[name])
    starts = not waits_for if trigger.each else len(waits_for) < len(last)
    return Looked(starts, json.dumps(last if starts else seen), _said(waits_for, last))


def _said(waits_for: Sequence[str], last: Mapping[str, int | None]) -> str:
    """Tell a key that was mistyped from an asset that is not new."""
    never = [name for name in waits_for if last[name] is None]
    unheard = f" Never materialized in this Dagster instance: {', '.join(never)}." if never else ""
    return f"Waits for {', '.join(waits_for)} to be materialized.{unheard}"


def _last_of(instance: dg.DagsterInstance, keys: Mapping[str, dg.AssetKey]) -> dict[str, int | None]:
    """Return the number in Dagster's log of each asset's last materialization, of those that have one."""
    found = {
        record.asset_entry.asset_key: record.asset_entry for record in instance.get_asset_records([*keys.values()])
    }
    lasts = {name: found[key].last_materialization_record for name, key in keys.items() if key in found}
    return {name: record.storage_id for name, record in lasts.items() if record is not None}
