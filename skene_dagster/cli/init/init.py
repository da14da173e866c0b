"""skene-dagster init."""

import sys
from dataclasses import replace
from pathlib import Path

import click

from skene_dagster.cli.group import LOOK
from skene_dagster.cli.init import telling
from skene_dagster.cli.init.checking import faults_of
from skene_dagster.cli.init.sources import Found, opened
from skene_dagster.cli.screen import Screen, open_screen
from skene_dagster.files import LARGEST
from skene_dagster.init.columns_file import COLUMNS, columns_text
from skene_dagster.init.files import project_files
from skene_dagster.init.first_loop import first_loop
from skene_dagster.init.proposal import Asked, NothingFound, Proposal, propose
from skene_dagster.init.writing import Planned, plan, write


@click.command()
@click.option("--database", metavar="URL", help="The product's database. Default: SKENE_DATABASE_URL.")
@click.option(
    "--code",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="DIR",
    help="Read the product's code instead of a database.",
)
@click.option("--users", metavar="TABLE", help="The table with the users.")
@click.option("--email", metavar="COLUMN", help="Its column with the address.")
@click.option("--activity", metavar="COLUMN", help="Its column with the time of the last activity.")
@click.option("--events", metavar="TABLE", help="The table with usage events, or `none`.")
@click.option("--yes", is_flag=True, help="Ask nothing: take the likeliest, say what is in doubt, and end with 4 then.")
@click.option("--dry-run", is_flag=True, help="Show what would be written, and write nothing.")
@click.pass_obj
def init(  # noqa: PLR0913 - each an option
    root: Path,
    *,
    database: str | None,
    code: Path | None,
    users: str | None,
    email: str | None,
    activity: str | None,
    events: str | None,
    yes: bool,
    dry_run: bool,
) -> None:
    """Propose a project: skene.yaml, a first loop with its email, and what Dagster and coding agents need.

    Reads the tables of the product's database or, without one, its code (Django, SQLAlchemy, Rails, Laravel, Prisma,
    Drizzle, SQL). Says what it found and why. Nothing that is there is overwritten.
    """
    screen = open_screen()
    asks = not yes and not dry_run
    if asks and not sys.stdin.isatty():
        raise click.UsageError(
            "There is no terminal to ask on. Use --yes, and answer in advance what may be in doubt: --users TABLE, "
            "--email COLUMN, --activity COLUMN, --events TABLE."
        )
    asked = Asked(users, email, activity, events)
    with opened(root, database, code) as found:
        try:
            proposal = _proposed(screen, found, asked, asks=asks)
        except NothingFound as nothing:
            screen.labelled("doubt", str(nothing))
            raise click.exceptions.Exit(LOOK) from None
        texts = project_files(proposal, root) | _columns(found)
        faults = faults_of(texts, found.url)
    planned = plan(root, texts)
    telling.tell_files(screen, planned)
    for fault in faults:
        screen.labelled("doubt", f"`validate` will say: {fault}")
    if not dry_run:
        _write(screen, root, planned, asks=asks)
    telling.tell_next(screen, root, found, first_loop(proposal), wrote=not dry_run)
    if proposal.doubts or faults:
        raise click.exceptions.Exit(LOOK)


def _proposed(screen: Screen, found: Found, asked: Asked, *, asks: bool) -> Proposal:
    with screen.doing("Reading"):
        proposal = propose(found.schema, found.rows, asked)
    if asks:
        for doubt in proposal.doubts:
            screen.paragraph(doubt.says)
            chosen = telling.choice(screen, "Which table has the users?", doubt.options)
            proposal = propose(found.schema, found.rows, replace(asked, users=chosen))
            screen.line()
    telling.tell(screen, found, proposal)
    return proposal


def _columns(found: Found) -> dict[str, str]:
    text = columns_text(found.schema)
    # What is larger could not be read again.
    return {COLUMNS: text} if len(text.encode()) <= LARGEST else {}


def _write(screen: Screen, root: Path, planned: list[Planned], *, asks: bool) -> None:
    if asks and any(one.state != "unchanged" for one in planned):
        screen.line()
        click.confirm("Write these files?", default=True, abort=True)
    write(root, planned)
