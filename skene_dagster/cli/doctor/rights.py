"""What the database user may do, for `doctor`: it is tried, and rolled back.

The rights that single loops need are checked in `loop_checks.py`, loop by loop.
"""

import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

from sqlalchemy import (
    Column,
    Connection,
    Engine,
    Integer,
    MetaData,
    Table,
    delete,
    func,
    insert,
    literal,
    make_url,
    select,
    text,
    update,
)

from skene_dagster.checks import fresh_sources
from skene_dagster.checks.db_errors import NO_SHOW_VIEW, Explain
from skene_dagster.cli.validate.result import Checked
from skene_dagster.errors import StoreError
from skene_dagster.loops.plan import Query
from skene_dagster.loops.triggers import Rows
from skene_dagster.project import Project
from skene_dagster.settings import Settings
from skene_dagster.store.engine import open_engine, reading, transaction
from skene_dagster.store.failures import DENIED, code_of
from skene_dagster.store.names import named
from skene_dagster.store.tables import meta
from skene_dagster.tracking import tidb_statements

LITTLE_ROOM = 100_000_000
"""Bytes. Less free space on the disk of a growing file is reported."""

_GRANTS = "docs/tidb.md has the GRANTs."

_STAGING = Table(
    "skene_staging_doctor",
    MetaData(),
    Column("user_id", Integer, primary_key=True, autoincrement=False),
    mysql_charset="utf8mb4",
    mysql_collate="utf8mb4_bin",
)


class _Undone(Exception):
    """Rolls back a transaction that was only tried."""


def examine_file(settings: Settings) -> Iterator[Checked]:
    """Try whether the SQLite file can be written, and check how much space is left."""
    engine = open_engine(settings.database_url)
    try:
        yield from _tried(engine, {"write the skene_* tables": _write_ours})
    finally:
        engine.dispose()
    free = shutil.disk_usage(Path(make_url(settings.database_url).database or "").parent).free
    if free < LITTLE_ROOM:
        yield Checked("notice", f"The database's disk has only {free // 1_000_000} MB left.", "Free some space.")


def examine_reading(engine: Engine, settings: Settings, project: Project) -> Iterator[Checked]:
    """List the product's tables that settings and loops name and that may be read; for a view, also how it is read.

    Those that may not be read are reported where they are named: for settings before, for loops by `examine_loops`.
    """
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
            readable.append(name)
    if readable:
        yield Checked("ok", f"The database user can read {', '.join(readable)}.")


def examine_writing(engine: Engine) -> Iterator[Checked]:
    """Try what every run writes."""
    yield from _tried(
        engine,
        {
            "write the skene_* tables (SELECT, INSERT, UPDATE, DELETE)": _write_ours,
            "create and drop the staging tables skene_staging_… (CREATE, DROP)": _make_and_drop_staging,
        },
    )


def examine_migrating(engine: Engine, *, is_due: bool) -> Iterator[Checked]:
    """Ask whether this user may migrate; only a migration that is due has to."""
    # TiDB, 2026-11: a missing table is reported as missing whatever the rights, so one is created.
    tried: dict[str, Callable[[Connection], object]] = {
        "ALTER": lambda connection: connection.execute(text(f"ALTER TABLE {_STAGING.name} ADD COLUMN doctor INT")),
        "INDEX": lambda connection: connection.execute(text(f"CREATE INDEX doctor ON {_STAGING.name} (user_id)")),
    }
    if _may(engine, _make_staging):
        lacking = [right for right, work in tried.items() if not _may(engine, work)]
        _may(engine, _drop_staging)
    else:
        lacking = ["CREATE"]
    rights = ", ".join(lacking)
    if lacking and is_due:
        yield Checked(
            "error",
            f"The database user cannot migrate: it lacks {rights}.",
            "Grant it, let another user migrate, or have the output of `skene-dagster migrate --sql` executed.",
        )
    elif lacking:
        yield Checked(
            "ok", f"The database user lacks {rights}: runs do without; `skene-dagster migrate` needs another user."
        )
    else:
        yield Checked("ok", "The database user can migrate (CREATE, ALTER, INDEX).")


def examine_collecting(connection: Connection) -> Iterator[Checked]:
    """Ask whether the server shows what others run, as `tidb_usage` needs it."""
    offer = tidb_statements.offered(connection)
    if isinstance(offer, str):
        yield Checked("notice", f"tidb_usage collects nothing: {offer}.", "Remove it from skene.yaml.")
    elif not offer.everybody:
        name, _, host = str(connection.execute(select(func.current_user())).scalar_one()).rpartition("@")
        yield Checked(
            "notice",
            "tidb_usage: the server shows this database user only its own statements.",
            f"GRANT PROCESS ON *.* TO '{name}'@'{host}';",
        )
    else:
        yield Checked("ok", "tidb_usage: the database user can see what others run (PROCESS).")


def _tried(engine: Engine, works: dict[str, Callable[[Connection], object]]) -> Iterator[Checked]:
    for what, work in works.items():
        try:
            with suppress(_Undone):
                transaction(engine, partial(_undone, work))
        except StoreError as error:
            if error.retryable:
                # It is not this right that is missing: nothing at all can be written now.
                yield Checked("error", error.message, error.advice)
                return
            yield Checked("error", f"The database user cannot {what}: {error.message}", _GRANTS)
        else:
            yield Checked("ok", f"The database user can {what}.")


def _read(connection: Connection, name: str) -> None:
    connection.execute(Explain(select(literal(1)).select_from(named(name)))).close()


def _tables_read(settings: Settings, project: Project) -> set[str]:
    found = {settings.users.table, settings.events.table}
    found |= {source.fresh.table for plan in project.loops for source in fresh_sources.of_loop(plan, settings)}
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
    _drop_staging(connection)
    _STAGING.create(connection)


def _drop_staging(connection: Connection) -> None:
    _STAGING.drop(connection, checkfirst=True)


def _make_and_drop_staging(connection: Connection) -> None:
    _make_staging(connection)
    _drop_staging(connection)


def _may(engine: Engine, work: Callable[[Connection], object]) -> bool:
    """Do something that only a missing right prevents."""
    try:
        transaction(engine, work)
    except StoreError as error:
        if code_of(error) not in DENIED:
            raise
        return False
    return True
