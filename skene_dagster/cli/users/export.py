"""skene-dagster users export."""

import json
from pathlib import Path
from typing import TextIO

import click
from sqlalchemy import Connection

from skene_dagster.cli.database import open_ledger
from skene_dagster.cli.output_file import opened
from skene_dagster.cli.screen import open_screen
from skene_dagster.cli.why.to_programs import to_json
from skene_dagster.consent.people import named_user
from skene_dagster.explain import holdings
from skene_dagster.explain.holdings import Subject
from skene_dagster.explain.whom import find
from skene_dagster.settings import Settings, load
from skene_dagster.store.engine import Clock
from skene_dagster.store.failures import translated
from skene_dagster.store.keys import as_text
from skene_dagster.wording import how_many


@click.command()
@click.argument("user")
@click.argument("file", default="-", type=click.Path(dir_okay=False, allow_dash=True, path_type=Path))
@click.pass_obj
def export(root: Path, *, user: str, file: Path) -> None:
    """Write all that we hold of USER as JSON, to FILE or to standard output.

    USER is the users key, of somebody who is no user any more, too, or an address. Nothing is masked: it is theirs.
    """
    settings = load(root)
    to_stdout = str(file) == "-"
    screen = open_screen(stderr=True)
    with open_ledger(settings) as (engine, clock), translated(), engine.connect() as connection:
        subject = _subject(connection, settings, user)
        with opened(file, to_stdout=to_stdout) as stream, screen.doing("Reading") as say:
            written = 0
            for n, table in enumerate(holdings.tables()):
                say(f"Reading {table.name}")
                if n == 0:
                    _begin(stream, subject, clock)
                written += _write(connection, stream, subject, n)
            stream.write("\n  }\n}\n")
    screen.labelled("ok", f"{how_many(written, 'row')} written{'' if to_stdout else f' to {file}'}.")


def _begin(stream: TextIO, subject: Subject, clock: Clock) -> None:
    of = {
        "exported_at": to_json(clock()),
        "user": None if subject.user_id is None else as_text(subject.user_id),
        "address": subject.address,
    }
    head = "".join(f"  {json.dumps(name)}: {json.dumps(value)},\n" for name, value in of.items())
    stream.write(f'{{\n{head}  "tables": {{')


def _write(connection: Connection, stream: TextIO, subject: Subject, n: int) -> int:
    """Write what one table holds, row by row; return how many rows that is."""
    table = holdings.tables()[n]
    stream.write(f"{',' if n else ''}\n    {json.dumps(table.name)}: [")
    number = 0
    for number, row in enumerate(holdings.rows(connection, table, subject), start=1):
        described = json.dumps({name: to_json(value) for name, value in row.items()})
        stream.write(f"{',' if number > 1 else ''}\n      {described}")
    stream.write("\n    ]" if number else "]")
    return number


def _subject(connection: Connection, settings: Settings, word: str) -> Subject:
    """Find whom a word names.

    Raises:
        click.BadParameter: nobody, or several users.
    """
    found = find(connection, settings, word)
    if len(found.keys) > 1:
        keys = ", ".join(as_text(key) for key in found.keys)
        raise click.BadParameter(f"Several users are meant: {keys}. Name one of them by the key.", param_hint="USER")
    if found.keys:
        user = named_user(connection, settings.users, found.keys[0])
        assert user is not None
        return holdings.of_user(connection, user.user_id, user.has)
    gone = [holdings.of_user(connection, found.former_key, None)] if found.former_key is not None else []
    gone += [holdings.of_address(connection, found.address)] if found.address is not None else []
    for one in gone:
        if holdings.is_known(connection, one):
            return one
    users = settings.users
    raise click.BadParameter(
        f"No user has {users.table}.{users.key} = {word}, and nothing is held of them.", param_hint="USER"
    )
