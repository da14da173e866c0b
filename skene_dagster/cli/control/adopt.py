"""skene-dagster adopt."""

from pathlib import Path

import click

from skene_dagster.cli.database import shown_database
from skene_dagster.cli.screen import confirmed, open_screen
from skene_dagster.errors import SchemaOutdated
from skene_dagster.settings import load
from skene_dagster.store import environment, schema
from skene_dagster.store.engine import open_engine, reading


@click.command()
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@click.pass_obj
def adopt(root: Path, *, yes: bool) -> None:
    """Assign the database to the present SKENE_ENV.

    A database records the environment of its first run. So a copy of production in another environment stops, and so
    does a rehearsal that one variable would turn into the real thing.
    """
    settings = load(root)
    reader = open_engine(settings.database_url, read_only=True)
    if not schema.is_ready(reader):
        raise SchemaOutdated("The skene_* tables are not in the database.", advice="There is nothing to adopt yet.")
    known = reading(reader, environment.remembered)
    database = shown_database(settings)
    if known == settings.environment:
        open_screen().labelled("ok", f"{database} belongs to {known} already.")
        return
    if not yes:
        confirmed(f"{database} belongs to {known or 'nobody'}. Make it {settings.environment}?")
    engine = open_engine(settings.database_url)
    environment.adopt(engine, settings.environment)
    engine.dispose()
    open_screen().labelled("ok", f"{database} belongs to {settings.environment} now.")
