"""The command `skene-dagster`: check loops, look at what they would do, and see them run."""

from pathlib import Path

import click

from skene_dagster.cli.group import EXIT_CODES, Commands


@click.group(cls=Commands, epilog=EXIT_CODES, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--project",
    envvar="SKENE_PROJECT",
    default=".",
    show_envvar=True,
    metavar="DIR",
    type=click.Path(exists=True, file_okay=False, resolve_path=True, path_type=Path),
    help="The folder with skene.yaml, loops/ and templates/; the current one where it is left out.",
)
@click.version_option(package_name="skene-dagster", prog_name="skene-dagster", message="%(prog)s %(version)s")
@click.pass_context
def main(context: click.Context, project: Path) -> None:
    """Growth loops on TiDB: who, when, what to send, and what should come of it."""
    context.obj = project
