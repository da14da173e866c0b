"""The tables that a folder's code describes: which framework it is, and its reader."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from skene_dagster.errors import SettingsError
from skene_dagster.files import read_text
from skene_dagster.init.reading import ddl, django, drizzle, laravel, prisma, rails, sqlalchemy_models
from skene_dagster.init.reading.source import Source
from skene_dagster.init.schema import Schema, Table

MOST_FILES = 5_000
"""Files that are looked at."""

_SKIPPED = frozenset({"node_modules", "vendor", "venv", "dist", "build", "target", "site-packages", "test", "tests"})


Reader = Callable[[list[Source]], Schema | None]
Wanted = Callable[[str], bool]


def read(folder: Path) -> Schema | None:
    """Read the code in a folder; None if nothing in it describes tables. No code is executed."""
    paths = sorted(_paths(folder))
    for wanted, reader in _readers(paths):
        sources = [source for path in paths if wanted(path) and (source := _read(folder, path)) is not None]
        schema = reader(sources) if sources else None
        if schema is not None and schema.tables:
            return schema
    return None


def _readers(paths: list[str]) -> Iterator[tuple[Wanted, Reader]]:
    """List the readers, the surest first, each with the files that it reads."""
    names = {path.rpartition("/")[2] for path in paths}
    yield (lambda path: path.endswith("db/schema.rb")), rails.read
    if "artisan" in names:
        yield (lambda path: path.endswith(".php") and "/migrations/" in f"/{path}"), laravel.read
    if "manage.py" in names:
        yield _is_django, django.read
    yield (lambda path: path.endswith(".prisma")), prisma.read
    yield (lambda path: path.endswith((".ts", ".mts"))), drizzle.read
    yield (lambda path: path.endswith(".py")), sqlalchemy_models.read
    yield (lambda path: path.endswith(".sql")), _of_ddl


def _is_django(path: str) -> bool:
    """Whether a file has models or settings; migrations have neither."""
    has_either = path.endswith(("models.py", "settings.py")) or "/models/" in path or "/settings/" in path
    return has_either and path.endswith(".py") and "/migrations/" not in path


def _of_ddl(sources: list[Source]) -> Schema | None:
    tables: dict[str, Table] = {}
    for source in sources:
        tables |= {table.name.lower(): table for table in ddl.tables_of(source.text)}
    return Schema(sources[0].path if len(sources) == 1 else "SQL files", tuple(tables.values()), "SQL")


def _paths(folder: Path) -> Iterator[str]:
    seen = 0
    for here, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name not in _SKIPPED)
        for name in sorted(names):
            seen += 1
            if seen > MOST_FILES:
                return
            yield (Path(here) / name).relative_to(folder).as_posix()


def _read(folder: Path, path: str) -> Source | None:
    """Read a file; one that is no text, or too large, describes nothing."""
    try:
        return Source(path, read_text(folder / path, path, SettingsError, root=folder))
    except SettingsError:
        return None
