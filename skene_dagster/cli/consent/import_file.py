"""skene-dagster suppressions import."""

from pathlib import Path

import click
from sqlalchemy import Connection

from skene_dagster.cli.consent import recipients, scopes
from skene_dagster.cli.database import open_ledger
from skene_dagster.cli.group import LOOK, USAGE
from skene_dagster.cli.screen import Screen, open_screen
from skene_dagster.consent import people
from skene_dagster.consent.imports.importing import Imported, Wanted, import_list
from skene_dagster.consent.suppressions import LONGEST_SOURCE, Scope
from skene_dagster.delivery.decide.facts import mapped_by_settings
from skene_dagster.errors import ImportRefused, Place
from skene_dagster.settings import Users, load
from skene_dagster.store.engine import reading
from skene_dagster.wording import how_many


@click.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, readable=True, path_type=Path))
@click.option("--scope", metavar=scopes.METAVAR, callback=scopes.checked, help="What rows are for that do not say why.")
@click.option(
    "--source",
    metavar="NAME",
    callback=recipients.kept(LONGEST_SOURCE),
    help="Where it comes from; kept with each. Default: the file's name.",
)
@click.option("--column", metavar="NAME", help="The column with the addresses, if it is not found.")
@click.option("--dry-run", is_flag=True, help="Write nothing; say what would be written.")
@click.pass_context
def import_file(
    context: click.Context, *, file: Path, scope: Scope | None, source: str | None, column: str | None, dry_run: bool
) -> None:
    """Put the people of a CSV FILE on the list.

    It may be an export of suppressions export, or of another product (docs/cli.md). To import it again does no harm.
    """
    root: Path = context.obj
    settings = load(root)
    scopes.refuse_unknown_topic(scope, settings)
    screen = open_screen()
    with open_ledger(settings) as (engine, clock):
        # If the users table is not what skene.yaml says, it is told before anything is written.
        reading(engine, lambda connection: _look(connection, settings.users))
        try:
            with screen.doing("Reading the file") as say:
                found = import_list(
                    engine,
                    settings.users,
                    Wanted(file, scope, source, column),
                    clock,
                    dry_run=dry_run,
                    progress=lambda rows: say(f"{rows:,} rows read"),
                )
        except ImportRefused as refused:
            open_screen(stderr=True).error(refused)
            context.exit(USAGE)
    _tell(screen, found, file.name, "would be added" if dry_run else "added")
    if found.bad:
        context.exit(LOOK)


def _look(connection: Connection, users: Users) -> None:
    with mapped_by_settings(users):
        people.look(connection, users)


def _tell(screen: Screen, found: Imported, name: str, added: str) -> None:
    screen.facts({"File": name, "Read as": found.format.name})
    screen.line()
    who = "who has" if found.users == 1 else "who have"
    of_users = f", and {how_many(found.users, 'user')} {who} one of them" if found.users else ""
    screen.labelled("ok", f"{how_many(found.addresses, 'address', 'addresses')} {added}{of_users}.")
    if found.there:
        screen.labelled("ok", f"{how_many(found.there, 'address', 'addresses')} there already, or lifted since.")
    if found.may_be_mailed:
        screen.labelled("ok", f"{how_many(found.may_be_mailed, 'row')} left out, of people who may be mailed.")
    for row in found.told:
        screen.labelled("notice", str(Place(name, row.line)), row.why)
    if found.bad:
        screen.labelled(
            "notice", f"{how_many(found.bad, 'row')} could not be used. Mend the file, and import it again."
        )
