"""skene-dagster schema."""

from pathlib import Path

import click

from skene_dagster import json_schema
from skene_dagster.cli.screen import open_screen
from skene_dagster.errors import Place, SettingsError
from skene_dagster.files import LARGEST, read_text, replacing
from skene_dagster.loops.schema import loop_schema
from skene_dagster.settings.schema import settings_schema


@click.command()
@click.option("--settings", is_flag=True, help="Print the schema of skene.yaml instead.")
@click.option("--columns", is_flag=True, help="Print the product's tables and columns instead.")
@click.option("--read", is_flag=True, help="With --columns: read them anew, and keep them in skene.columns.txt.")
@click.pass_obj
def schema(root: Path, *, settings: bool, columns: bool, read: bool) -> None:
    """Print the JSON Schema of a loop file.

    Editors check and complete a YAML file that begins with
    `# yaml-language-server: $schema=<where you saved it>`.
    """
    if settings and columns:
        raise click.UsageError("Use --settings or --columns, not both.")
    if read and not columns:
        raise click.UsageError("--read is for --columns.")
    if columns:
        click.echo(_columns(root, read=read), nl=False)
    else:
        click.echo(json_schema.text(settings_schema() if settings else loop_schema()), nl=False)


def _columns(root: Path, *, read: bool) -> str:
    from skene_dagster.init.columns_file import COLUMNS  # noqa: PLC0415 - as below

    file = root / COLUMNS
    if not read and file.is_file():
        return read_text(file, COLUMNS, SettingsError, root=root)
    text = _read(root)
    if read:
        if len(text.encode()) > LARGEST:
            raise SettingsError(
                f"The tables take more than {LARGEST:,} bytes, and a file of a project has no more.",
                advice="Leave --read out: they are printed, and not kept.",
            )
        try:
            with replacing(file) as written:
                written.write(text.encode())
        except OSError as bad:
            raise SettingsError(f"The file cannot be written: {bad.strerror}.", place=Place(COLUMNS)) from None
        open_screen(stderr=True).labelled("ok", f"Kept in {COLUMNS}.")
    return text


def _read(root: Path) -> str:
    # Imported here: SQLAlchemy costs 0.25 s, and editors ask for the other schemas.
    from skene_dagster.cli.init.sources import opened  # noqa: PLC0415
    from skene_dagster.init.columns_file import COLUMNS, columns_text  # noqa: PLC0415

    try:
        with opened(root, None, None) as found:
            return columns_text(found.schema)
    except click.UsageError:
        raise click.UsageError(
            f"There is no {COLUMNS}, and nothing to read the columns from. Set SKENE_DATABASE_URL, or run "
            "`skene-dagster init` where the product's code is."
        ) from None
