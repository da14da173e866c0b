"""A project's definitions for a code location that others share: `build_definitions`."""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import dagster as dg
from dagster._core.definitions.metadata.metadata_set import TableMetadataSet

from skene_dagster.compiler import compile_folder
from skene_dagster.compiler.catalog.catalog import About, Mount

JOB_PREFIX = "loops__"
"""Before the names of loops' jobs: `retention` may well be somebody's already."""


def build_definitions(
    project: str | Path,
    *,
    key_prefix: str | Sequence[str] = (),
    job_prefix: str = JOB_PREFIX,
    tables: Mapping[str, dg.AssetKey] | None = None,
    upstream: dg.Definitions | Iterable[dg.AssetSpec] | None = None,
    translate: Callable[[dg.AssetSpec, About], dg.AssetSpec] | None = None,
    environ: Mapping[str, str] = os.environ,
) -> dg.Definitions:
    """Return the definitions of a project, to be merged with others: `dg.Definitions.merge(theirs, ours)`.

    They bring no executor, no logger, one resource (`skene_database`), the jobs `skene__…`, and a job for each loop.
    Files are read and no connection is opened. An error in a file appears as an asset under `skene/broken`, whose run
    fails with it, and in the log; it is not raised.

    Args:
        project: the folder with `skene.yaml`, `loops/` and `templates/`.
        key_prefix: stands before the keys of all assets.
        job_prefix: stands before the names of the loops' jobs, schedules and sensors.
        tables: which asset makes a table of the product, by the table's name as conditions write it.
        upstream: definitions, or assets, among which the product's tables are looked for by their metadata
            `dagster/table_name`; lineage starts there.
        translate: returns an asset with another key, group, owners, tags, metadata, kinds or description. What it adds
            to `deps` is added, but for emails, whose assets are graphs; what it takes away stays.
        environ: the SKENE_* variables, and the providers' keys.
    """
    found = tables_made_by(
        upstream.resolve_all_asset_specs() if isinstance(upstream, dg.Definitions) else upstream or ()
    )
    found |= {table.lower(): key for table, key in (tables or {}).items()}
    prefix = (key_prefix,) if isinstance(key_prefix, str) else tuple(key_prefix)
    return compile_folder(Path(project).resolve(), Mount(prefix, job_prefix, found, translate), environ)


def tables_made_by(specs: Iterable[dg.AssetSpec]) -> dict[str, dg.AssetKey]:
    """Name the assets that say which table they make, by the table's name in lower case, with and without its schema.

    A name that several have, in several schemas, is none's.
    """
    found: dict[str, set[dg.AssetKey]] = {}
    for spec in specs:
        name = TableMetadataSet.extract(spec.metadata).table_name
        parts = name.lower().split(".") if name else []
        for start in range(len(parts)):
            found.setdefault(".".join(parts[start:]), set()).add(spec.key)
    return {name: keys.pop() for name, keys in found.items() if len(keys) == 1}
