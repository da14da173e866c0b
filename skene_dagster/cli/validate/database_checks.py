"""What the database says of a project, for `validate`."""

from dataclasses import dataclass, field

from sqlalchemy import Connection

from skene_dagster import boundary
from skene_dagster.checks import accounts, event_sources, fresh_sources, preflight
from skene_dagster.checks.db_errors import columns_in
from skene_dagster.checks.local_time import Suspect, suspects
from skene_dagster.checks.scans import Scan, big_scans
from skene_dagster.checks.unreadable import Unreadable, of_step, of_usage
from skene_dagster.cli.database import settings_file, shown_database
from skene_dagster.delivery.missing_values import Lack, lacking
from skene_dagster.errors import DocumentError, SkeneError, StoreError
from skene_dagster.goals.preflight import check_goals
from skene_dagster.loops.plan import LoopPlan, Query
from skene_dagster.product import shapes
from skene_dagster.project import Project
from skene_dagster.settings import FILE, Settings
from skene_dagster.store.engine import database_clock, open_engine
from skene_dagster.store.failures import translated
from skene_dagster.tracking import collector


@dataclass
class Answer:
    """What is wrong, and facts about the database."""

    database: str
    """Its name."""
    settings: list[SkeneError] = field(default_factory=list)
    loops: dict[str, list[SkeneError]] = field(default_factory=dict)
    """The errors of each file; those that are not DocumentErrors are about rights that the database user lacks."""
    scans: dict[str, list[Scan]] = field(default_factory=dict)
    """The big tables that each file's SQL reads from end to end."""
    unique: dict[str, list[frozenset[str]]] = field(default_factory=dict)
    """The unique keys of the tables that the conditions read."""
    lacking: dict[str, list[Lack]] = field(default_factory=dict)
    """The values that each file's emails need and some users do not have."""
    suspects: list[Suspect] = field(default_factory=list)
    """The columns of moments that do not seem to be in UTC."""
    unreadable: dict[str, list[Unreadable]] = field(default_factory=dict)
    """Columns with values that are not moments: of each file's steps; under skene.yaml, of what users do."""
    nullable: frozenset[str] = frozenset()
    """The columns of the users table that may be NULL, in lower case."""
    unreachable: StoreError | None = None
    """Why the database could not be queried, or not to the end."""


def _unique_keys(connection: Connection, plan: LoopPlan) -> dict[str, list[frozenset[str]]]:
    read = {name for step in plan.steps if isinstance(step.condition, Query) for name in step.condition.tables}
    # SQLite's skene_* tables are not there before the first run.
    return {name: shapes.unique_keys(connection, name) for name in read if columns_in(connection, name)}


def ask(settings: Settings, project: Project) -> Answer:
    """Ask the database about the settings and each loop. Only reads.

    Raises:
        SettingsError: SKENE_DATABASE_URL is none.
    """
    engine = open_engine(settings.database_url, read_only=True)
    answer = Answer(shown_database(settings))
    try:
        as_of = database_clock(engine)()
        with translated(), engine.connect() as connection:
            file = settings_file(settings)
            answer.settings += preflight.check_users(connection, settings.users, file)
            if any(error.place and error.place.part in {"users.table", "users.key"} for error in answer.settings):
                return answer
            answer.settings += preflight.check_topics(connection, settings, file)
            answer.settings += accounts.check_accounts(connection, settings, project.loops, file, as_of)
            answer.settings += event_sources.check_events(connection, settings, file)
            answer.settings += fresh_sources.check(connection, fresh_sources.of_settings(settings))
            answer.settings += check_goals(connection, project.all_loops, settings)
            if settings.tidb_usage is not None:
                answer.settings += collector.check(connection, settings.tidb_usage, settings.users, file)
            answer.nullable = preflight.nullable_columns(connection, settings.users)
            for plan in project.loops:
                try:
                    with boundary.around(plan.document.file), translated():
                        errors = preflight.check_loop(connection, plan, settings, file, as_of)
                        if errors := [*errors, *check_goals(connection, plan, settings)]:
                            answer.loops[plan.document.file] = errors
                        else:
                            answer.unique |= _unique_keys(connection, plan)
                            found = [one for step in plan.steps for one in of_step(connection, step, settings)]
                            answer.unreadable[plan.document.file] = list(dict.fromkeys(found))
                            answer.scans[plan.document.file] = list(big_scans(connection, plan, settings, as_of))
                except DocumentError as error:
                    answer.loops[plan.document.file] = list(error.errors)
            if not answer.settings:
                answer.unreadable[FILE] = of_usage(connection, settings)
                right = [plan for plan in project.loops if plan.document.file not in answer.loops]
                answer.lacking = lacking(connection, right, settings, as_of)
                answer.suspects = suspects(connection, right, settings, file, as_of)
    except StoreError as error:
        answer.unreachable = error
    finally:
        engine.dispose()
    return answer
