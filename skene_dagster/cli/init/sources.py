"""Where `init` reads: the database that is named, the one of the project, or code."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import click

from skene_dagster.init.reading import database as of_database
from skene_dagster.init.schema import NoRows, Rows, Schema
from skene_dagster.settings.environment import read_variables
from skene_dagster.store.engine import open_engine
from skene_dagster.store.server import urls


@dataclass(frozen=True)
class Found:
    """What was read."""

    schema: Schema
    rows: Rows
    url: str | None = field(default=None, repr=False)
    """The database's; None if code was read."""
    was_named: bool = False
    """It was given by --database: the next command needs the variable."""


@contextmanager
def opened(root: Path, database: str | None, code: Path | None) -> Iterator[Found]:
    """Read the schema; the database stays open for its rows.

    Raises:
        click.UsageError: there is nothing to read.
        SettingsError: the URL is none, or the code cannot be read.
        StoreError: the database cannot be reached.
    """
    if database and code:
        raise click.UsageError("Use --database or --code, not both.")
    own = root / ".skene" / "skene.db"
    url = database or (None if code else read_variables(os.environ).database_url)
    if url is None and code is None and own.is_file():
        url = f"sqlite:///{own}"
    if url is None:
        yield _of_code(code or root, is_named=code is not None)
        return
    engine = open_engine(url, read_only=True)
    try:
        parsed = urls.parse(url)
        host = "" if parsed.drivername in urls.SQLITE else f" on {parsed.host or 'localhost'}:{parsed.port or 4000}"
        name = Path(parsed.database or "").name if parsed.drivername in urls.SQLITE else parsed.database
        yield Found(
            of_database.read(engine, f"{name}{host}"), of_database.DatabaseRows(engine), url, was_named=bool(database)
        )
    finally:
        engine.dispose()


def _of_code(folder: Path, *, is_named: bool) -> Found:
    from skene_dagster.init.reading import code as of_code  # noqa: PLC0415 - tree-sitter and sqlglot, only for code

    schema = of_code.read(folder)
    if schema is None:
        where = str(folder) if is_named else "This folder"
        raise click.UsageError(
            f"{where} has no tables that init can read (Django, SQLAlchemy, Rails, Laravel, Prisma, Drizzle, *.sql). "
            "Set SKENE_DATABASE_URL, or use --database URL or --code DIR."
        )
    return Found(schema, NoRows())
