"""What `doctor` checks for each loop by itself: a problem in one hides no other."""

from collections.abc import Iterator, Sequence
from functools import partial

from sqlalchemy import Connection, Engine

from skene_dagster import boundary
from skene_dagster.checks import preflight
from skene_dagster.cli.database import settings_file
from skene_dagster.cli.validate.result import Checked
from skene_dagster.delivery.send.write_back import change_of_nobody
from skene_dagster.documents import Document
from skene_dagster.errors import DocumentError, SkeneError, StoreError
from skene_dagster.loops.plan import LoopPlan
from skene_dagster.project import Project
from skene_dagster.settings import Settings
from skene_dagster.store.engine import database_time, is_sqlite, transaction
from skene_dagster.store.failures import translated
from skene_dagster.wording import how_many


def examine_files(project: Project) -> Iterator[Checked]:
    """List the broken files: nothing in them runs."""
    for broken in project.broken:
        yield from map(Checked.of, broken.error.errors)


def examine_loops(engine: Engine, settings: Settings, project: Project) -> Iterator[Checked]:
    """Have the database plan each loop's SQL, and check its `set`, with the rights that a run has.

    Raises:
        StoreUnavailable: the database cannot answer now.
    """
    file = settings_file(settings)
    taken = 0
    for plan in project.loops:
        wrong = _refused(engine, plan, settings, file)
        yield from map(Checked.of, wrong)
        if not wrong:
            taken += 1
            yield from _unwritable(engine, plan, settings)
    if taken:
        yield Checked("ok", f"The database accepts the SQL of {how_many(taken, 'loop')}.")


def _refused(engine: Engine, plan: LoopPlan, settings: Settings, file: Document) -> Sequence[SkeneError]:
    try:
        with boundary.around(plan.document.file), translated(), engine.connect() as connection:
            return preflight.check_loop(connection, plan, settings, file, database_time(connection))
    except DocumentError as error:
        return error.errors


def _unwritable(engine: Engine, plan: LoopPlan, settings: Settings) -> Iterator[Checked]:
    """Try each step's `set` on nobody. Only a live run writes it.

    Raises:
        StoreUnavailable: the database cannot answer now.
    """
    for number, step in enumerate(plan.steps):
        if is_sqlite(engine) or step.email is None or not step.email.set:
            continue
        change = change_of_nobody(step, settings)
        try:
            transaction(engine, partial(Connection.execute, statement=change))
        except StoreError as error:
            if error.retryable:
                raise
            place = plan.document.place(("steps", number, "action", "set"))
            said = f"{place}: `set` cannot be written: {error.message}"
            if settings.environment == "production":
                yield Checked("error", f"{said} No email of this step is sent.", error.advice)
            else:
                yield Checked(
                    "notice", f"{said} A rehearsal writes no `set`; a live run would send no email.", error.advice
                )
