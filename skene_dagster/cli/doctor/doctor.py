"""skene-dagster doctor."""

from collections.abc import Iterator
from pathlib import Path

import click

from skene_dagster.cli.database import shown_database
from skene_dagster.cli.doctor.alert_checks import examine_alerts
from skene_dagster.cli.doctor.environment_checks import examine_database, examine_sender
from skene_dagster.cli.doctor.instance_checks import examine_instance
from skene_dagster.cli.doctor.mail import examine_mail
from skene_dagster.cli.group import LOOK, REFUSED, USAGE
from skene_dagster.cli.screen import Screen, open_screen
from skene_dagster.cli.validate.result import Checked
from skene_dagster.delivery.received.mail import read
from skene_dagster.errors import MailUnreadable
from skene_dagster.project import load_project
from skene_dagster.settings import Settings, load


@click.command()
@click.option(
    "--mail",
    type=click.Path(exists=True, dir_okay=False, readable=True, path_type=Path),
    metavar="FILE",
    help="Check only this email, as its receiver saved it (.eml).",
)
@click.pass_context
def doctor(context: click.Context, *, mail: Path | None) -> None:
    """Check what a run needs: connection, encryption, rights, clocks, tables, each loop's SQL, the sender's domain.

    Says how to get what is missing. Sends nothing, and rolls back what it writes to test a right. Ends with 3 if a run
    would fail, or an email has an error; with 4 if a person should look.
    """
    root: Path = context.obj
    screen = open_screen()
    settings = load(root)
    if mail is None:
        seen = _environment(screen, settings)
    else:
        try:
            message = read(mail)
        except MailUnreadable as unreadable:
            open_screen(stderr=True).error(unreadable)
            context.exit(USAGE)
        seen = _tell(screen, mail.name, examine_mail(message, settings))
    if "error" in seen:
        context.exit(REFUSED)
    if "notice" in seen:
        context.exit(LOOK)


def _environment(screen: Screen, settings: Settings) -> set[str]:
    project = load_project(settings)
    seen = _tell(screen, shown_database(settings), examine_database(settings, project))
    screen.line()
    seen |= _tell(screen, "Sender", examine_sender(settings, project))
    screen.line()
    seen |= _tell(screen, "Alerts", examine_alerts(settings))
    screen.line()
    return seen | _tell(screen, "Dagster", examine_instance())


def _tell(screen: Screen, title: str, looked: Iterator[Checked]) -> set[str]:
    """Print the results as they come; return their labels."""
    screen.line(title, "bold")
    seen: set[str] = set()
    for one in looked:
        seen.add(one.label)
        screen.labelled(one.label, f"{one.said} {one.advice}".strip())
    return seen
