"""Load the code location in this process, with what each part takes as JSON. Run by `benchmarks.load`."""

import gc
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dagster as dg

from skene_dagster import compiler, project
from skene_dagster.compiler import compile_folder
from skene_dagster.delivery.email.templates import Templates
from skene_dagster.loops.files import loaders
from skene_dagster.loops.planning import conditions

_spent: dict[str, float] = {}


def main() -> None:
    root = Path(os.environ["SKENE_PROJECT"])
    names = len(list((root / "loops").iterdir()))
    _spent["load, plan, compile"] = 0
    _timing(project, "load_folder", "  read the files")
    _timing(loaders, "parse", "    against the format")
    _timing(project, "plan_loop", "  plan")
    _timing(conditions, "read_query", "    the SQL")
    _timing(Templates, "check", "  check the templates")
    _timing(compiler, "compile_project", "  make Dagster's objects")
    with _whole("load, plan, compile"):
        defs = compile_folder(root)
    with _whole("Dagster resolves them, its jobs too"):
        _resolve(defs, names)
    with _whole("as many by hand, empty"):
        by_hand = dg.Definitions.merge(*(_by_hand(f"hand_{number}") for number in range(names)))
    with _whole("Dagster resolves these"):
        _resolve(by_hand, names)
    json.dump(_spent, sys.stdout)


def _resolve(defs: dg.Definitions, names: int) -> None:
    jobs = defs.get_repository_def().get_all_jobs()
    # Dagster's own, and ours beside the loops', are none of theirs.
    of_loops = [job.name for job in jobs if not job.name.startswith(("__", "skene__"))]
    assert len(of_loops) == names, of_loops


def _by_hand(name: str) -> dg.Definitions:
    """Write what a loop is to Dagster."""

    @dg.asset(key=[name, "segment"], group_name=name, description="A segment.", deps=[dg.AssetKey(["tidb", "users"])])
    def segment() -> dg.MaterializeResult[None]:
        return dg.MaterializeResult()

    @dg.op(name=f"{name}__reserve", ins={"segment": dg.In(dg.Nothing)}, out=dg.Out(dg.Nothing))
    def reserve() -> None:
        return

    @dg.op(name=f"{name}__deliver", ins={"reserved": dg.In(dg.Nothing)}, out=dg.Out(dg.Nothing))
    def deliver() -> None:
        return

    @dg.graph_asset(
        key=[name, "sends"],
        group_name=name,
        description="Emails.",
        ins={"segment": dg.AssetIn(key=[name, "segment"], dagster_type=dg.Nothing)},
    )
    def sends(segment: Any) -> Any:
        return deliver(reserve(segment))

    job = dg.define_asset_job(name, selection=dg.AssetSelection.assets([name, "segment"], [name, "sends"]))
    schedule = dg.ScheduleDefinition(name=name, job=job, cron_schedule="0 9 * * *")
    return dg.Definitions(assets=[segment, sends], jobs=[job], schedules=[schedule])


@contextmanager
def _whole(part: str) -> Iterator[None]:
    """Measure a part of its own, which does not pay for what the ones before it left behind."""
    gc.collect()
    with _measured(part):
        yield


@contextmanager
def _measured(part: str) -> Iterator[None]:
    started = time.perf_counter()
    yield
    _spent[part] = _spent.get(part, 0) + time.perf_counter() - started


def _timing(owner: Any, name: str, part: str) -> None:
    """Have every call of a function counted to a part."""
    function: Callable[..., Any] = getattr(owner, name)
    _spent[part] = 0

    def timed(*arguments: Any, **named: Any) -> Any:
        with _measured(part):
            return function(*arguments, **named)

    setattr(owner, name, timed)


if __name__ == "__main__":
    main()
