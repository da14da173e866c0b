"""A small project whose database has the skene_* tables, for commands about the list of suppressions."""

import sqlite3
from pathlib import Path

from commands import skene
from prepared_tables import make
from small_project import RETENTION, write_project, write_users

from skene_dagster.settings import Users
from skene_dagster.store.engine import open_engine


def write_listed_project(root: Path) -> Path:
    """Write a project with the users 1, 2 and 3, whose addresses are user-1@example.com and so on."""
    write_project(root, {"retention.yaml": RETENTION})
    write_users(root, dormant=3, active=0)
    engine = open_engine(f"sqlite:///{root / '.skene' / 'skene.db'}")
    make(engine, Users())
    engine.dispose()
    return root


def said(root: Path, *arguments: str, exit_code: int = 0) -> str:
    """What a command of the group prints, on one line; it ends as expected."""
    result = skene(root, "suppressions", *arguments)
    assert result.exit_code == exit_code, result.output
    assert max(map(len, result.output.splitlines()), default=0) <= 80, result.output
    return " ".join(result.output.split())


def rows(root: Path, columns: str = "address, scope, reason") -> list[tuple[object, ...]]:
    """What holds."""
    with sqlite3.connect(root / ".skene" / "skene.db") as connection:
        query = (
            f"SELECT {columns} FROM skene_suppressions WHERE lifted_at LIKE '9999%' ORDER BY address, scope, recipient"
        )
        return connection.execute(query).fetchall()


def execute(root: Path, statement: str) -> None:
    with sqlite3.connect(root / ".skene" / "skene.db") as connection:
        connection.execute(statement)
