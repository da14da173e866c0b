"""Broken files, shown where people look: an asset and a job for each, which fail with the file's error."""

import re
from collections.abc import Container, Sequence

import dagster as dg

from skene_dagster.compiler.catalog.catalog import About, Catalog
from skene_dagster.compiler.metadata import wrapped
from skene_dagster.compiler.retry_policy import EXECUTOR
from skene_dagster.errors import DocumentError
from skene_dagster.loops.names import fault_of_name
from skene_dagster.project import Broken

GROUP = "broken"


def broken_definitions(broken: Sequence[Broken], loops: Container[str], catalog: Catalog) -> dg.Definitions:
    """Define the assets `skene/broken/<stem>`, and a job of the name that the file's loop would have had.

    Args:
        loops: the names of the loops without errors, which have their own jobs.
    """
    assets: dict[str, dg.AssetsDefinition] = {}
    jobs: dict[str, list[dg.AssetKey]] = {}
    for file in broken:
        stem = name = re.sub(r"\W", "_", file.stem, flags=re.ASCII)
        number = 1
        while name in assets:
            number += 1
            name = f"{stem}_{number}"
        assets[name] = broken_asset(name, file.error, catalog)
        job = file.loop or name
        if job not in loops and not fault_of_name(job):
            jobs.setdefault(job, []).append(assets[name].key)
    return dg.Definitions(
        assets=list(assets.values()),
        jobs=[
            dg.define_asset_job(
                catalog.job(job),
                executor_def=EXECUTOR,
                selection=dg.AssetSelection.assets(*keys),
                description="A file of this loop has an error; the run says where.",
            )
            for job, keys in jobs.items()
        ],
    )


def broken_asset(name: str, error: DocumentError, catalog: Catalog) -> dg.AssetsDefinition:
    """Define the asset `skene/broken/<name>`, whose run fails with the error."""
    plain = dg.AssetSpec(
        ["skene", "broken", name],
        group_name=GROUP,
        kinds={"broken"},
        description=f"This file has an error; nothing in it runs until it is fixed.\n\n```\n{wrapped(str(error))}\n```",
    )
    catalog.add(plain, About("broken"))
    spec = catalog.spec(plain.key)

    @dg.multi_asset(specs=[spec], name=spec.key.to_python_identifier())
    def wrong() -> None:
        raise dg.Failure(description=str(error), allow_retries=False)

    return wrong
