"""The resource that the ops share."""

from collections.abc import Iterator
from contextlib import nullcontext

import dagster as dg
from sqlalchemy import Engine

from skene_dagster.compiler.jobs import dead_runs
from skene_dagster.settings import Settings
from skene_dagster.store.engine import open_engine

DATABASE = "skene_database"
"""Its key: another code location's `database` must not be ours."""

PATIENCE = 25.0
"""Seconds after which a sensor gives up on a database that does not answer.

Dagster, 2026-11: a code server that is told to end waits for its sensors; after 30 s the daemon does so no longer, and
after 60 s the tick has failed. A sensor that hangs then occupies a thread of the code server for ever.
"""


def database(settings: Settings) -> dg.ResourceDefinition:
    """Define the resource `skene_database`: the product's database, connected when a run first uses it.

    Every op uses it for as long as its process lives, so it is also what shows that a run is alive.

    Its URL is a secret, not configuration: it appears in no run, no event and on no page of the UI.

    Raises:
        SettingsError: the URL is not valid, or names a database that is not supported.
    """
    engine = open_engine(settings.database_url, must_exist=True)
    looking = open_engine(settings.database_url, must_exist=True, patience=PATIENCE)

    @dg.resource(description="The product's database, as SKENE_DATABASE_URL names it.")
    def opened(context: dg.InitResourceContext) -> Iterator[Engine]:
        run, instance = context.run, context.instance
        # A sensor has no run.
        alive = nullcontext() if run is None or instance is None else dead_runs.shown(instance, run.run_id)
        chosen = looking if run is None else engine
        with alive:
            try:
                yield chosen
            finally:
                chosen.dispose()

    return opened
