"""The command `skene-dagster`: check loops, look at what they would do, and see them run."""

import logging
from pathlib import Path

import click

from skene_dagster import boundary
from skene_dagster.cli.group import EXIT_CODES, Commands


@click.group(cls=Commands, epilog=EXIT_CODES, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--project",
    envvar="SKENE_PROJECT",
    default=".",
    show_envvar=True,
    metavar="DIR",
    type=click.Path(exists=True, file_okay=False, resolve_path=True, path_type=Path),
    help="The folder with skene.yaml, loops/ and templates/. Default: the current folder.",
)
@click.option(
    "--traceback", is_flag=True, help="Show the stack trace of a fault in skene-dagster itself, for a bug report."
)
@click.version_option(package_name="skene-dagster", prog_name="skene-dagster", message="%(prog)s %(version)s")
@click.pass_context
def main(context: click.Context, project: Path, *, traceback: bool) -> None:
    """Growth loops on TiDB: whom to mail, when, with what, and to what end."""
    if traceback:
        logging.basicConfig(format="%(message)s")
        logging.getLogger(boundary.__name__).setLevel(logging.DEBUG)
    context.obj = project
