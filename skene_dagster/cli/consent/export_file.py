"""skene-dagster suppressions export."""

from pathlib import Path

import click

from skene_dagster.cli.consent import scopes
from skene_dagster.cli.consent.push import WITH_A_LIST, push_to
from skene_dagster.cli.database import open_ledger
from skene_dagster.cli.output_file import opened
from skene_dagster.cli.screen import open_screen
from skene_dagster.consent import listing
from skene_dagster.consent.exporting import export_list
from skene_dagster.consent.suppressions import Scope
from skene_dagster.settings import Settings, load
from skene_dagster.store.engine import reading
from skene_dagster.wording import how_many


@click.command("export")
@click.argument("file", required=False, type=click.Path(dir_okay=False, allow_dash=True, path_type=Path))
@click.option(
    "--scope", metavar=scopes.METAVAR, callback=scopes.checked, help="Only what stops this. Default: whatever it stops."
)
@click.option("--to", "provider", type=click.Choice(WITH_A_LIST), help="Put what stops all email on this one's list.")
@click.option("--yes", is_flag=True, help="With --to, do not ask for confirmation.")
@click.pass_obj
def export_file(root: Path, *, file: Path | None, scope: Scope | None, provider: str | None, yes: bool) -> None:
    """Write the list to FILE as CSV, or to standard output with -.

    It has the columns address, scope, reason, since, until and source. Whoever has no address in the list is counted.
    """
    if (file is None) == (provider is None):
        raise click.UsageError("Name a file, or a provider with --to.")
    if file is None:
        assert provider is not None
        if scope not in (None, "all"):
            raise click.UsageError(f"A provider's list stops every email: --scope {scope} cannot go there.")
        push_to(load(root), provider, yes=yes)
    else:
        _write(load(root), file, scope)


def _write(settings: Settings, file: Path, scope: Scope | None) -> None:
    to_stdout = str(file) == "-"
    screen = open_screen(stderr=to_stdout)
    with open_ledger(settings) as (engine, clock):
        scopes.refuse_unknown_topic(scope, settings, reading(engine, listing.scopes))
        with opened(file, to_stdout=to_stdout) as stream, screen.doing("Writing the list") as say:
            some = scopes.chosen(scope)
            found = export_list(engine, stream, some, clock(), lambda rows: say(f"{rows:,} rows written"))
    screen.labelled("ok", f"{how_many(found.written, 'suppression')} written{'' if to_stdout else f' to {file}'}.")
    if found.formulas:
        screen.labelled(
            "notice",
            f"Written as they are: {how_many(found.formulas, 'address', 'addresses')} that a spreadsheet takes for "
            "formulas. Import the file there as text.",
        )
    if found.users:
        screen.labelled("ok", f"{how_many(found.users, 'more is of a user', 'more are of users')}, not of an address.")
    if found.erased:
        screen.labelled(
            "notice",
            f"{how_many(found.erased, 'more has', 'more have')} no address any more, only its hash, and "
            f"{'is' if found.erased == 1 else 'are'} not in the file.",
        )
