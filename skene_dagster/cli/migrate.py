"""skene-dagster migrate."""

from pathlib import Path

import click

from skene_dagster.checks import preflight
from skene_dagster.cli.database import settings_file, shown_database
from skene_dagster.cli.screen import open_screen
from skene_dagster.documents import together
from skene_dagster.settings import load
from skene_dagster.store import schema
from skene_dagster.store.engine import is_sqlite, open_engine
from skene_dagster.store.failures import translated


@click.command()
@click.option("--check", is_flag=True, help="Change nothing; end with 3 if a migration is due.")
@click.option("--sql", is_flag=True, help="Change nothing; print the SQL that would be executed now.")
@click.pass_obj
def migrate(root: Path, *, check: bool, sql: bool) -> None:
    """Upgrade the database's skene_* tables to this release.

    Only this command changes a server's schema, except for the working tables that a run creates and drops. The
    embedded SQLite database migrates itself when a loop runs.
    """
    if check and sql:
        raise click.UsageError("Take --check or --sql, not both.")
    # With --sql, standard output is for the database's client.
    screen = open_screen(stderr=sql)
    settings = load(root)
    engine = open_engine(settings.database_url)
    database = shown_database(settings)
    # Only read at first: an SQLite file that is not there is a mistake, not a database to be made.
    reader = open_engine(settings.database_url, read_only=True)
    with translated(), reader.connect() as connection:
        if wrong := preflight.check_users(connection, settings.users, settings_file(settings)):
            raise together(wrong)
    if (check or sql) and is_sqlite(engine):
        screen.labelled("ok", f"{database} is an SQLite file; it migrates itself when a loop runs.")
        return
    if sql:
        click.echo(schema.upgrade_as_sql(engine, settings.users, settings.accounts), nl=False)
        return
    with screen.doing(f"Migrating {database}"):
        (schema.ready if check else schema.upgrade)(engine, settings.users, settings.accounts)
    screen.labelled("ok", f"The skene_* tables in {database} are of this release.")
