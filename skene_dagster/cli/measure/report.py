"""skene-dagster report."""

import webbrowser
from pathlib import Path

import click

from skene_dagster.cli.choosing import plan_of
from skene_dagster.cli.database import open_ledger
from skene_dagster.cli.screen import open_screen
from skene_dagster.delivery import modes
from skene_dagster.project import load_project
from skene_dagster.report.numbers import read
from skene_dagster.report.page import FILE, TITLE, save
from skene_dagster.settings import load


@click.command()
@click.option("--loop", help="Only this loop.")
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The file. Default: .skene/report.html in the project.",
)
@click.option("--open", "browser", is_flag=True, help="Open it in a browser.")
@click.pass_obj
def report(root: Path, *, loop: str | None, out: Path | None, browser: bool) -> None:
    """Write a page that says what needs a person, what the loops did in the last 28 days, and whether it worked.

    It is one file without scripts, which a browser opens from the disk; it has users' keys in it, no address and no
    name. What goals came to is as the job skene__outcomes has measured it.
    """
    settings = load(root)
    project = load_project(settings)
    if loop is not None:
        plan_of(project, loop)
    with open_ledger(settings) as (engine, clock):
        numbers = read(engine, settings, project, modes.choose(settings).name, clock, loop=loop)
    file = out or settings.root / FILE
    try:
        save(numbers, file, title=TITLE if loop is None else f"{TITLE}: {loop}")
    except OSError as bad:
        raise click.BadParameter(f"{file} cannot be written: {bad.strerror}.", param_hint="--out") from None
    open_screen().labelled("ok", f"{file.resolve()} is the report.")
    if browser:
        webbrowser.open(file.resolve().as_uri())
