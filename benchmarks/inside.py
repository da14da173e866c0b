"""One job, executed in this process, with what each part of it takes as JSON. Run by `benchmarks.job`."""

# ruff: noqa: PLC0415 - what an import takes is what is measured
import importlib
import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

_spent: dict[str, float] = {}


def main(job: str, module: str) -> None:
    with _measured("import Dagster"):
        import dagster as dg
    with _measured("import ours"):
        if job != "empty":
            importlib.import_module("skene_dagster.compiler")
    with _measured("load, plan, compile"):
        defs: dg.Definitions = importlib.import_module(module).defs
    with _measured("resolve the job"):
        definition = defs.resolve_job_def(job)
    with _measured("open Dagster's storage"):
        instance = dg.DagsterInstance.get()
    with instance, _measured("execute"):
        result = definition.execute_in_process(instance=instance)
    assert result.success
    for event in result.all_events:
        if event.is_step_success and event.step_key:
            op = event.step_key.replace("__", ".").rpartition(".")[2]
            _spent[f"  step {op}"] = event.step_success_data.duration_ms / 1000
    json.dump(_spent, sys.stdout)


@contextmanager
def _measured(part: str) -> Iterator[None]:
    started = time.perf_counter()
    yield
    _spent[part] = time.perf_counter() - started


if __name__ == "__main__":
    main(*sys.argv[1:])
