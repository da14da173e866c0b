"""What only the database knows about a project: whether its tables and columns are there, and its SQL runs.

Nothing is evaluated and nothing is written. What the database says is told at the author's line, in its own words.
"""

import difflib
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Integer, Select, inspect, literal_column, select, table
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.base import Executable
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.elements import ClauseElement

from skene_dagster.audience import conditions, triggers
from skene_dagster.documents import Document
from skene_dagster.errors import DocumentError, LoopInvalid, Place, QueryRejected, SettingsError, StoreError
from skene_dagster.loops.dialect import ROWS
from skene_dagster.loops.expressions import columns_of
from skene_dagster.loops.plan import Email, LoopPlan, Query, Rows, StepPlan
from skene_dagster.settings import FILE, Settings, Users
from skene_dagster.store import tables
from skene_dagster.store.engine import users_table
from skene_dagster.store.failures import NOT_NOW, code_of, is_busy, is_lost, translated, words_of
from skene_dagster.store.keys import same_as_users_key, users_key

DENIED = frozenset({1044, 1045, 1142, 1143, 1227})
"""The database's words for a missing right: no fault of a file."""

MOST_NAMES = 12


def check_users(connection: Connection, users: Users, settings_file: Document) -> list[SettingsError]:
    """List what of `users:` in skene.yaml is not so in the database.

    Raises:
        StoreError: the database cannot be asked.
    """
    try:
        users_key(connection, users)
    except SettingsError as error:
        part = error.place.part if error.place else ""
        return [SettingsError(error.message, advice=error.advice, place=_at(settings_file, part))]
    present = columns_in(connection, users.table)
    mapped = {"email": users.email, "name": users.name, "timezone": users.timezone, "locale": users.locale}
    errors = [
        SettingsError(
            f"Table {users.table!r} has no column {column!r}.",
            advice=_names(column, present),
            place=_at(settings_file, f"users.{field}"),
        )
        for field, column in mapped.items()
        if column is not None and not _has(present, column)
    ]
    mailable = literal_column(f"CASE WHEN ({users.mailable}) THEN 1 ELSE 0 END", Integer)
    said = _refusal(lambda: connection.execute(_Explain(select(mailable).select_from(users_table(users)))))
    if said:
        errors.append(
            SettingsError(
                f"The database refuses this SQL: {said}.",
                advice=_meant(said, present, []),
                place=_at(settings_file, "users.mailable"),
            )
        )
    return errors


def check_loop(
    connection: Connection, plan: LoopPlan, settings: Settings, settings_file: Document, as_of: datetime
) -> list[DocumentError]:
    """List what of a loop the database refuses: its SQL as it is sent, its columns, the columns that it sets.

    Raises:
        StoreError: the database cannot be asked.
    """
    users = settings.users
    present = columns_in(connection, users.table)
    errors: list[DocumentError] = []
    for number, step in enumerate(plan.steps):
        of_the_trigger = list(_check_rows(connection, plan, number, step, users))
        errors += of_the_trigger
        if isinstance(step.condition, Query) and not of_the_trigger:
            errors += _check_query(connection, plan, step, settings, as_of)
        if step.email:
            errors += _check_user_columns(plan, number, step.email, users, present, settings_file)
    return errors


def columns_in(connection: Connection, name: str) -> tuple[str, ...]:
    """List a table's (or view's) columns; none where there is no such table."""
    schema, _, bare = name.rpartition(".")
    every: Select[Any] = select(literal_column("*")).select_from(table(bare, schema=schema or None)).limit(0)
    found: list[tuple[str, ...]] = []
    _refusal(lambda: found.append(tuple(connection.execute(every).keys())))
    return found[0] if found else ()


def nullable_columns(connection: Connection, users: Users) -> frozenset[str]:
    """List the columns of the users table that may be NULL, in lower case."""
    schema, _, bare = users.table.rpartition(".")
    columns = inspect(connection).get_columns(bare, schema=schema or None)
    return frozenset(column["name"].lower() for column in columns if column["nullable"])


def _at_word(place: Place, text: str, word: str) -> Place:
    """Say on which line of a text that begins at `place` a word stands; its first where it does not."""
    found = re.search(rf"\b{re.escape(word)}\b", text) if word else None
    if found is None or place.line is None:
        return place
    return Place(place.file, place.line + text[: found.start()].count("\n"), place.part)


def _check_rows(
    connection: Connection, plan: LoopPlan, number: int, step: StepPlan, users: Users
) -> Iterator[DocumentError]:
    """Check the table whose rows trigger a step."""
    trigger = step.trigger
    if not isinstance(trigger, Rows) or trigger.table == tables.events.name:
        return
    path = ("steps", number, "trigger")
    present = columns_in(connection, trigger.table)
    if not present:
        known = inspect(connection).get_table_names()
        place = plan.document.place((*path, "table"))
        yield LoopInvalid(
            f"Table {trigger.table!r} is not in the database.", advice=_names(trigger.table, known), place=place
        )
        return
    for field, name in (("key", trigger.key), ("user", trigger.user), ("at", trigger.at)):
        if not _has(present, name):
            advice = f"{_names(name, present)} Name it in the trigger: `{field}: …`."
            place = plan.document.place((*path, field))
            yield LoopInvalid(f"Table {trigger.table!r} has no column {name!r}.", advice=advice, place=place)
            return
    try:
        same_as_users_key(connection, users, trigger.table, trigger.user)
    except SettingsError as bad:
        place = plan.document.place((*path, "user"))
        yield LoopInvalid(bad.message, advice=bad.advice, place=place)


def _check_query(
    connection: Connection, plan: LoopPlan, step: StepPlan, settings: Settings, as_of: datetime
) -> Iterator[DocumentError]:
    number, query = plan.steps.index(step), step.condition
    assert isinstance(query, Query)
    place = plan.document.text_place(("steps", number, "condition", "query"))
    try:
        condition = conditions.answer(connection, plan, step, settings, as_of)
    except QueryRejected as error:
        yield error
        return
    every: Select[Any] = select(literal_column("*")).select_from(condition.rows)
    if query.by_row:
        within = triggers.window(step, as_of, last=as_of, first=as_of, at=None)
        every = every.add_cte(triggers.rows(connection, plan, step, "outbox", within).cte(ROWS))
    said = _refusal(lambda: connection.execute(_Explain(every)))
    columns: list[str] = []
    if not said:
        said = _refusal(lambda: columns.extend(connection.execute(every.limit(0)).keys()))
    if said:
        known = [name for source in query.tables for name in columns_in(connection, source)]
        advice = _meant(said, known, inspect(connection).get_table_names())
        place = _at_word(place, query.author, _unknown_column(said) or _unknown_table(said))
        yield QueryRejected(f"The database refuses this SQL: {said}.", advice=advice, place=place)
        return
    if not _has(columns, query.key):
        yield QueryRejected(
            f"The query returns no column {query.key!r}, which names the user.",
            advice=_names(query.key, columns),
            place=place,
        )
    if step.email:
        yield from _check_row_columns(plan, number, step.email, columns)


def _check_row_columns(plan: LoopPlan, number: int, email: Email, columns: Sequence[str]) -> Iterator[DocumentError]:
    for name, text in email.personalization:
        place = plan.document.place(("steps", number, "action", "personalization", name))
        for column in sorted(columns_of(text, place).row):
            if not _has(columns, column):
                advice = _names(column, columns)
                yield LoopInvalid(f"The condition has no column {column!r}.", advice=advice, place=place)


def _check_user_columns(
    plan: LoopPlan, number: int, email: Email, users: Users, present: Sequence[str], settings_file: Document
) -> Iterator[DocumentError]:
    action = ("steps", number, "action")
    read: dict[str, Place] = {}
    for name, text in email.personalization:
        place = plan.document.place((*action, "personalization", name))
        read |= {column: place for column in columns_of(text, place).user if column not in read}
    for column in email.user_columns:
        read.setdefault(column, _at(settings_file, "sender.unsubscribe_url"))
    read |= {column: plan.document.place((*action, "set", column)) for column, _ in email.set}
    for column, place in read.items():
        if not _has(present, column):
            advice = _names(column, present)
            yield LoopInvalid(f"Table {users.table!r} has no column {column!r}.", advice=advice, place=place)


class _Explain(Executable, ClauseElement):
    """EXPLAIN of a SELECT: the database plans it and tells nothing of the data."""

    inherit_cache = False

    def __init__(self, statement: Select[Any]) -> None:
        self.statement = statement


@compiles(_Explain)
def _explain(element: _Explain, compiler: SQLCompiler, **kw: object) -> str:
    return f"EXPLAIN {compiler.process(element.statement, **kw)}"


def _refusal(work: Callable[[], object]) -> str:
    """Do `work`; return the database's words if it is the SQL that it refuses, and nothing if it does not."""
    try:
        with translated():
            work()
    except StoreError as error:
        code = code_of(error)
        if is_busy(error) or is_lost(error) or code in NOT_NOW or code in DENIED:
            raise
        return words_of(error)
    return ""


def _at(document: Document, part: str) -> Place:
    path = tuple(part.split(".")) if part else ()
    return document.place(path) if path in document.lines else Place(FILE, part=part)


def _has(columns: Iterable[str], name: str) -> bool:
    # MySQL and SQLite, 2026-11: the case of a column's name does not matter.
    return name.lower() in {column.lower() for column in columns}


def _names(wanted: str, known: Iterable[str]) -> str:
    names = list(dict.fromkeys(known))
    near = difflib.get_close_matches(wanted, names, n=1, cutoff=0.6)
    if near:
        return f"Did you mean {near[0]!r}?"
    more = ", …" if len(names) > MOST_NAMES else ""
    return f"There is: {', '.join(names[:MOST_NAMES])}{more}." if names else ""


def _meant(said: str, columns: Iterable[str], names: Iterable[str]) -> str:
    """Guess from the database's words which name was meant."""
    if column := _unknown_column(said):
        return _names(column, columns)
    if name := _unknown_table(said):
        return _names(name, names)
    return ""


def _unknown_column(said: str) -> str:
    found = re.search(r"(?:Unknown column |no such column: )'?([\w.$]+)", said)
    return found[1].rpartition(".")[2] if found else ""


def _unknown_table(said: str) -> str:
    found = re.search(r"(?:Table '([\w.$]+)' doesn't exist|no such table: ([\w.$]+))", said)
    return (found[1] or found[2]).rpartition(".")[2] if found else ""
