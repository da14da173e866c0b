"""A look of the sensor skene__wake: with one loop and with a hundred, at rest and while a batch of each waits."""

import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import dagster as dg
from sqlalchemy import Engine, delete, insert

from benchmarks import databases, options, product
from benchmarks.load import Case, write_loops
from benchmarks.shown import ratio, seconds, show
from skene_dagster.compiler import compile_folder
from skene_dagster.compiler.jobs import wake
from skene_dagster.project import load_project
from skene_dagster.settings import load
from skene_dagster.store.engine import database_clock
from skene_dagster.store.tables import batches

AIM = "5 s"


def main() -> None:
    chosen = options.parser(__doc__).parse_args()
    rounds, many = (1, 6) if chosen.quick else (7, 100)
    rows = []
    with tempfile.TemporaryDirectory() as name:
        for database, url in databases.each(Path(name), chosen.only):
            os.environ["SKENE_DATABASE_URL"] = url
            roots = [_project(Path(name) / f"{database}_{loops}", loops) for loops in (1, many)]
            with product.opened(url, 1_000) as engine, dg.instance_for_test() as instance:
                rows += [[database, *row] for row in _measured(roots, engine, instance, rounds)]
    show(f"A look of skene__wake (aim: far below {AIM})", ["database", "", "1 loop", f"{many} loops", "ratio"], rows)


def _measured(roots: list[Path], engine: Engine, instance: dg.DagsterInstance, rounds: int) -> Iterator[list[str]]:
    repositories = [compile_folder(root).get_repository_def() for root in roots]
    for what, prepare in (("at rest", False), ("a batch of each waits", True)):
        taken: list[list[float]] = [[], []]
        # The first round is for what is built once.
        for number in range(-1, rounds):
            for which, repository in enumerate(repositories):
                with _waiting(roots[which], engine) if prepare else _nothing():
                    context = dg.build_sensor_context(
                        instance, repository_def=repository, resources={"skene_database": engine}, sensor_name=wake.NAME
                    )
                    started = time.perf_counter()
                    repository.get_sensor_def(wake.NAME).evaluate_tick(context)
                    spent = time.perf_counter() - started
                if number >= 0:
                    taken[which].append(spent)
        yield [what, seconds(taken[0]), seconds(taken[1]), ratio(taken[1], taken[0])]


def _project(root: Path, loops: int) -> Path:
    write_loops(product.write_project(root), Case(loops, 1))
    return root


@contextmanager
def _waiting(root: Path, engine: Engine) -> Iterator[None]:
    """Have a batch of each step wait, as after an outage of the provider."""
    project, now = load_project(load(root)), database_clock(engine)()
    long_ago = now - timedelta(hours=2)
    rows = [
        {
            "batch_id": f"{number:032}",
            "mode": "outbox",
            "loop": plan.name,
            "step": plan.steps[0].ledger_name,
            "state": "frozen",
            "size": 100,
            "attempts": 1,
            "provider": "resend",
            "error": "no answer",
            **dict.fromkeys(("as_of", "reserved_at", "due_at", "unresolved_since", "last_attempt_at"), long_ago),
        }
        for number, plan in enumerate(project.loops)
    ]
    with engine.begin() as connection:
        connection.execute(insert(batches), rows)
    try:
        yield
    finally:
        with engine.begin() as connection:
            connection.execute(delete(batches))


@contextmanager
def _nothing() -> Iterator[None]:
    yield


if __name__ == "__main__":
    main()
