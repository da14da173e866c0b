"""Compile a project into Dagster definitions: per loop its segments, its emails, its job and its schedules."""

import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import dagster as dg

from skene_dagster import boundary
from skene_dagster.compiler.assets import entitlements_asset, segment_asset, source_tables
from skene_dagster.compiler.broken import broken_asset, broken_definitions
from skene_dagster.compiler.catalog.catalog import ALONE, Catalog, Mount
from skene_dagster.compiler.catalog.described import describe_loop, describe_shared, describe_usage
from skene_dagster.compiler.checks import doubt_check
from skene_dagster.compiler.jobs.outcomes import outcome_definitions
from skene_dagster.compiler.jobs.provider_lists import provider_lists
from skene_dagster.compiler.jobs.retention import retaining
from skene_dagster.compiler.jobs.rollup import is_used, usage_definitions
from skene_dagster.compiler.jobs.tidb_usage import tidb_usage_definitions
from skene_dagster.compiler.jobs.wake import waking
from skene_dagster.compiler.ops import sends_asset
from skene_dagster.compiler.resources import DATABASE, database
from skene_dagster.compiler.starting.automation import automation
from skene_dagster.errors import DocumentError
from skene_dagster.loops.plan import Block, LoopPlan
from skene_dagster.project import Broken, Project, load_project
from skene_dagster.settings import Settings, load

T = TypeVar("T")

_log = logging.getLogger(__name__)


def compile_folder(root: Path, mount: Mount = ALONE, environ: Mapping[str, str] = os.environ) -> dg.Definitions:
    """Load and compile the project in a folder; errors in its files appear in the definitions and the log."""
    try:
        settings = load(root, environ)
        return compile_project(load_project(settings), settings, mount)
    except DocumentError as error:
        _log.error("Nothing is loaded.\n%s", error)
        return dg.Definitions(assets=[broken_asset("settings", error, Catalog(mount))])


def compile_project(project: Project, settings: Settings, mount: Mount = ALONE) -> dg.Definitions:
    """Compile every loop of a project; a broken file becomes an asset that says why. Opens no connection.

    Raises:
        SettingsError: the database's URL is not valid.
    """
    catalog = Catalog(mount)
    broken = list(project.broken)
    describe_usage(catalog, settings)
    described = [plan for plan, _ in _well(project.loops, broken, lambda plan: describe_loop(catalog, plan, settings))]
    loops = {
        plan.name: built
        for plan, built in _well(described, broken, lambda plan: _loop(plan, settings, described, catalog))
    }
    for file in broken:
        _log.error("%s is not loaded.\n%s", file.file, file.error)
    well = [plan for plan in described if plan.name in loops]
    describe_shared(catalog, well, project.all_loops, settings)
    shared = {DATABASE: database(settings)}
    return dg.Definitions.merge(
        *loops.values(),
        usage_definitions(settings, catalog) if is_used([*well, project.all_loops], settings) else dg.Definitions(),
        outcome_definitions(well, project.all_loops, settings, catalog, all_well=not broken),
        tidb_usage_definitions(settings, settings.tidb_usage, catalog) if settings.tidb_usage else dg.Definitions(),
        broken_definitions(broken, loops, catalog),
        waking(well, [file.file for file in broken], settings, shared, catalog),
        provider_lists(settings),
        retaining(well, settings, are_all=not broken),
        dg.Definitions(
            assets=[
                catalog.spec(table.key)
                for table in source_tables([*well, project.all_loops], settings)
                if not catalog.is_theirs(table.key)
            ],
            resources=shared,
        ),
    )


def _well(
    plans: Sequence[LoopPlan], broken: list[Broken], work: Callable[[LoopPlan], T]
) -> Iterator[tuple[LoopPlan, T]]:
    """Do `work` for each loop; one where it fails becomes broken, and hides no other."""
    for plan in plans:
        try:
            with boundary.around(plan.document.file):
                done = work(plan)
        except DocumentError as error:
            broken.append(Broken.of(plan.document.file, plan.name, error))
        else:
            yield plan, done


def _loop(plan: LoopPlan, settings: Settings, loops: Sequence[LoopPlan], catalog: Catalog) -> dg.Definitions:
    assets = [segment_asset(plan, step, settings, catalog) for step in plan.steps]
    assets += [
        entitlements_asset(plan, step, settings, catalog) for step in plan.steps if isinstance(step.action, Block)
    ]
    assets += [sends_asset(plan, step, settings, loops, catalog) for step in plan.steps if step.email is not None]
    checks = [doubt_check(plan, step, settings, catalog) for step in plan.steps if step.email is not None]
    return dg.Definitions.merge(dg.Definitions(assets=assets, asset_checks=checks), automation(plan, settings, catalog))
