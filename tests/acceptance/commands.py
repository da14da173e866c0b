"""The command line and a job, called in this process, and what the ledger then says."""

import sqlite3
from pathlib import Path

import click
from click.testing import CliRunner, Result

from skene_dagster.cli import main
from skene_dagster.cli.group import SUMMARIES
from skene_dagster.compiler import compile_folder

BATCH = "INSERT INTO skene_batches (batch_id, mode, loop, step, state, size, as_of, reserved_at, attempts{}) "
RESERVED = (
    BATCH.format("") + "VALUES ('x', 'outbox', 'retention', 'main', 'reserved', 7, '2020-01-01', '2020-01-01', 0)"
)
ATTEMPTED = BATCH.format(", unresolved_since") + (
    "VALUES ('x', 'outbox', 'retention', 'main', '{}', 7, '2020-01-01', '2020-01-01', 1, '2020-01-01 00:00:00.000000')"
)
"""Batches of seven emails, left behind in 2020; the second in a state that a test names."""


def skene(root: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["--project", str(root), *arguments])


def every() -> dict[str, click.Command]:
    """All commands by their whole names; a group's stand for it."""
    context = click.Context(main)
    found: dict[str, click.Command] = {}
    for name in SUMMARIES:
        command = main.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            found |= {f"{name} {inner}": one for inner, one in command.commands.items()}
        else:
            found[name] = command
    return found


def run(root: Path, loop: str = "retention") -> bool:
    return bool(compile_folder(root).resolve_job_def(loop).execute_in_process(raise_on_error=False).success)


def outcomes(root: Path) -> list[tuple[str, str | None]]:
    with sqlite3.connect(root / ".skene" / "skene.db") as connection:
        return connection.execute("SELECT DISTINCT state, reason FROM skene_sends ORDER BY 1, 2").fetchall()
