"""What a command refuses that asks a loop's condition of the database."""

from datetime import datetime

from sqlalchemy import Engine

from skene_dagster.checks import preflight
from skene_dagster.checks.accounts import check_accounts
from skene_dagster.cli.database import settings_file
from skene_dagster.documents import together
from skene_dagster.errors import DocumentError
from skene_dagster.loops.plan import LoopPlan
from skene_dagster.settings import Settings
from skene_dagster.store.failures import translated


def refuse_what_cannot_run(engine: Engine, settings: Settings, plan: LoopPlan, as_of: datetime) -> None:
    """Raise what the database refuses, with the author's line, before anything is shown."""
    file = settings_file(settings)
    with translated(), engine.connect() as connection:
        if wrong := preflight.check_users(connection, settings.users, file):
            raise together(wrong)
        if wrong := list(check_accounts(connection, settings, [plan], file, as_of)):
            raise together(wrong)
        errors = preflight.check_loop(connection, plan, settings, file, as_of)
    if wrong_files := [error for error in errors if isinstance(error, DocumentError)]:
        raise together(wrong_files)
    for denied in errors:
        raise denied
