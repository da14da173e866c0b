"""skene-dagster diff."""

import json
from pathlib import Path

import click

from skene_dagster.cli.inspect.runnable import refuse_what_cannot_run
from skene_dagster.cli.measure import diff_words
from skene_dagster.cli.measure.ledger_mode import mode_of
from skene_dagster.cli.screen import open_screen
from skene_dagster.cli.why.to_programs import to_json
from skene_dagster.errors import VersionNotFound
from skene_dagster.loops.plan_words import briefly, trigger
from skene_dagster.store.engine import database_clock, open_engine
from skene_dagster.versions.changes import Side, changed_settings, changes
from skene_dagster.versions.effects import EXAMPLES, Effect, Effects, Looking
from skene_dagster.versions.reading import read, read_before


@click.command()
@click.argument("ref", default="HEAD")
@click.option(
    "--against",
    "folder",
    metavar="FOLDER",
    type=click.Path(path_type=Path),
    help="Compare with the project in this folder, not with a git ref.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one object for programs, with all who come in and go out.")
@click.pass_obj
def diff(root: Path, *, ref: str, folder: Path | None, as_json: bool) -> None:
    """Show what the loops as they are now change, compared with those at a git REF (HEAD).

    Who comes in and goes out is asked of the database; nothing is written, and nothing is sent.
    """
    screen = open_screen()
    after = read(root)
    engine = open_engine(after.settings.database_url, read_only=True)
    try:
        with read_before(after, ref=ref, folder=folder) as before, screen.doing("Querying the database") as say:
            changed = changes(before, after)
            as_of = database_clock(engine)()
            for name in dict.fromkeys(one.loop for one in changed if one.after is not None):
                plan = after.plan(name)
                assert plan is not None, "it is of this version"
                refuse_what_cannot_run(engine, after.settings, plan, as_of)
            examples = None if as_json else EXAMPLES
            found = Looking(engine, mode_of(engine, after.settings), as_of, after, examples, say).effects(changed)
            parts = changed_settings(before.settings, after.settings)
    except VersionNotFound as error:
        raise click.UsageError(f"{error.message} {error.advice}") from None
    finally:
        engine.dispose()
    if as_json:
        click.echo(json.dumps(_described(found, parts), ensure_ascii=False, indent=2))
    else:
        diff_words.tell(screen, found, parts, str(folder) if folder else ref)


def _described(found: Effects, parts: list[str]) -> dict[str, object]:
    return {
        "as_of": to_json(found.as_of),
        "mode": found.mode,
        "settings": parts,
        "steps": [_step(one) for one in found.steps],
        "mails_in_7_days": to_json(found.pressure),
    }


def _step(one: Effect) -> dict[str, object]:
    change = one.change
    return {
        "loop": change.loop,
        "step": change.step,
        "kind": change.kind,
        "changed": dict(change.parts),
        "lines": list(change.lines),
        "before": _side(change.before),
        "after": _side(change.after),
        "inside": to_json(one.inside),
        "unknown": one.unknown or None,
        "come_in": to_json(list(one.come_in)),
        "go_out": to_json(list(one.go_out)),
        "mails_in_28_days": one.mails,
        "mails_in_28_days_replayed": one.mails_then,
        "first_tick": to_json(one.first_tick),
    }


def _side(side: Side | None) -> dict[str, object] | None:
    if side is None:
        return None
    return {"who": briefly(side.step.condition), "when": trigger(side.step)}
