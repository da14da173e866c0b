"""What the database user may do, for `doctor`: it is tried, and what was written is taken back."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    Engine,
    Integer,
    MetaData,
    Table,
    column,
    delete,
    false,
    insert,
    literal,
    make_url,
    select,
    table,
    update,
)

from skene_dagster.audience.asked import NO_SHOW_VIEW, Explain
from skene_dagster.cli.checked import Checked
from skene_dagster.errors import StoreError
from skene_dagster.loops.plan import Query, Rows
from skene_dagster.project import Project
from skene_dagster.settings import Settings
from skene_dagster.store.engine import open_engine, reading, transaction, users_table
from skene_dagster.store.failures import code_of
from skene_dagster.store.tables import meta

LITTLE_ROOM = 100_000_000
"""Bytes. With less on its disk, a file that grows is told of."""

_GRANTS = "docs/tidb.md has the GRANTs."


class _Undone(Exception):
    """Rolls a transaction back that was only tried."""


def examine_file(settings: Settings) -> Iterator[Checked]:
    """Try whether the SQLite file can be written, and look how much room there is."""
    engine = open_engine(settings.database_url)
    try:
        yield from _tried(engine, {"write the skene_* tables": _write_ours})
    finally:
        engine.dispose()
    free = shutil.disk_usage(Path(make_url(settings.database_url).database or "").parent).free
    if free < LITTLE_ROOM:
        yield Checked("notice", f"The database's disk has only {free // 1_000_000} MB left.", "Free some space.")


def examine_reading(engine: Engine, settings: Settings, project: Project) -> Iterator[Checked]:
    """Try to read each of the product's tables that settings and loops name; of a view, how it is read, too."""
    readable = []
    for name in sorted(_tables_read(settings, project)):
        try:
            reading(engine, partial(_read, name=name))
        except StoreError as error:
            if error.retryable:
                yield Checked("error", error.message, error.advice)
                return
            if code_of(error) == NO_SHOW_VIEW:
                yield Checked(
                    "notice",
                    f"The database user may read the view {name}, but not see how it is read ({NO_SHOW_VIEW}): "
                    "`validate --database` cannot tell which tables it reads from end to end.",
                    f"Grant SHOW VIEW on {name}.",
                )
            else:
                yield Checked("error", f"The database user cannot read {name}: {error.message}", _GRANTS)
        else:
            readable.append(name)
    if readable:
        yield Checked("ok", f"The database user can read {', '.join(readable)}.")


def examine_writing(engine: Engine, settings: Settings, project: Project) -> Iterator[Checked]:
    """Try whatever a run writes."""
    yield from _tried(
        engine,
        {
            "write the skene_* tables (SELECT, INSERT, UPDATE, DELETE)": _write_ours,
            "make and drop the staging tables skene_staging_… (CREATE, DROP)": _make_staging,
            **{
                f"set {settings.users.table}.{name} (UPDATE of that column)": partial(
                    _set, settings=settings, name=name
                )
                for name in sorted(_columns_set(settings, project))
            },
        },
    )


def _tried(engine: Engine, works: dict[str, Callable[[Connection], object]]) -> Iterator[Checked]:
    for what, work in works.items():
        try:
            with suppress(_Undone):
                transaction(engine, partial(_undone, work))
        except StoreError as error:
            if error.retryable:
                # Not this right is missing: nothing at all can be written now.
                yield Checked("error", error.message, error.advice)
                return
            yield Checked("error", f"The database user cannot {what}: {error.message}", _GRANTS)
        else:
            yield Checked("ok", f"The database user can {what}.")


def _read(connection: Connection, name: str) -> None:
    schema, _, bare = name.rpartition(".")
    connection.execute(Explain(select(literal(1)).select_from(table(bare, schema=schema or None)))).close()


def _tables_read(settings: Settings, project: Project) -> set[str]:
    found = {settings.users.table, settings.events.table}
    for step in (step for plan in project.loops for step in plan.steps):
        if isinstance(step.condition, Query):
            found |= set(step.condition.tables)
        if isinstance(step.trigger, Rows):
            found.add(step.trigger.table)
    return {name for name in found if not name.rpartition(".")[2].startswith("skene_")}


def _undone(work: Callable[[Connection], object], connection: Connection) -> None:
    work(connection)
    raise _Undone


def _write_ours(connection: Connection) -> None:
    row = {"name": "doctor", "value": ""}
    connection.execute(delete(meta).where(meta.c.name == row["name"]))
    connection.execute(insert(meta).values(row))
    connection.execute(update(meta).where(meta.c.name == row["name"]).values(value="tried"))
    connection.execute(select(meta).where(meta.c.name == row["name"]))


def _make_staging(connection: Connection) -> None:
    table = Table(
        "skene_staging_doctor",
        MetaData(),
        Column("user_id", Integer, primary_key=True, autoincrement=False),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
    )
    table.drop(connection, checkfirst=True)
    table.create(connection)
    table.drop(connection)


def _set(connection: Connection, settings: Settings, name: str) -> None:
    # Nobody is concerned; whether it is allowed is asked all the same.
    rows: Any = users_table(settings.users, name)
    connection.execute(update(rows).where(false()).values({name: column(name)}))


def _columns_set(settings: Settings, project: Project) -> set[str]:
    emails = [step.email for plan in project.loops for step in plan.steps if step.email is not None]
    found = {name for email in emails for name, _ in email.set}
    # `set` names it as well, lest the database move it.
    return found | ({settings.users.updated_at.column} if found and settings.users.updated_at else set())
