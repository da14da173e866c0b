"""What only the database knows about a project: whether its tables and columns exist, and whether its SQL runs.

Nothing is evaluated and nothing is written. What the database says is reported at the author's line, in its own words.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, String, inspect, literal_column, select

from skene_dagster.checks import fresh_sources
from skene_dagster.checks.accounts import check_columns
from skene_dagster.checks.db_errors import (
    at,
    at_word,
    columns_in,
    has,
    meant,
    names,
    needed_at,
    planned,
    refusal,
    unknown_column,
    unknown_table,
)
from skene_dagster.checks.event_sources import check_moments, check_rows
from skene_dagster.codes import Code
from skene_dagster.documents import Document
from skene_dagster.errors import DocumentError, LoopInvalid, Place, QueryRejected, SettingsError, SkeneError, StoreError
from skene_dagster.loops.dialect import ROWS
from skene_dagster.loops.plan import Email, LoopPlan, Query, StepPlan
from skene_dagster.loops.planning.expressions import columns_of
from skene_dagster.product import shapes
from skene_dagster.product.user_tests import has_agreed, is_mailable
from skene_dagster.segments import conditions
from skene_dagster.segments.conditions import subject
from skene_dagster.segments.triggers import trigger_windows
from skene_dagster.settings import Settings, Users
from skene_dagster.store.engine import is_sqlite, users_table
from skene_dagster.store.keys import users_key
from skene_dagster.store.names import parts
from skene_dagster.store.tables import metadata

_SOME_DAY = datetime(2026, 1, 1)  # any day: nothing is evaluated


def check_users(connection: Connection, users: Users, settings_file: Document) -> list[SettingsError]:
    """List what in `users:` of skene.yaml does not match the database.

    Raises:
        StoreError: the database cannot be asked.
    """
    try:
        users_key(connection, users)
    except SettingsError as error:
        part = error.place.part if error.place else ""
        return [SettingsError(error.message, advice=error.advice, place=at(settings_file, part), code=error.code)]
    present = columns_in(connection, users.table)
    moments = {"created_at": users.created_at, "updated_at": users.updated_at}
    mapped = {"email": users.email, "name": users.name, "timezone": users.timezone, "locale": users.locale}
    mapped |= {field: one.column for field, one in moments.items() if one is not None}
    errors = [
        SettingsError(
            f"Table {users.table!r} has no column {column!r}.",
            advice=names(column, present),
            place=at(settings_file, f"users.{field}"),
            code=Code.NO_COLUMN,
        )
        for field, column in mapped.items()
        if column is not None and not has(present, column)
    ]
    for field, one in moments.items():
        if one is not None and has(present, one.column):
            errors += check_moments(connection, users.table, one, settings_file, f"users.{field}")
    mailable = partial(is_mailable, connection, users, _SOME_DAY, settings_file)
    here = at(settings_file, "users.mailable")
    return [*errors, *_of_test(connection, users, mailable, present, here), *_of_a_text(connection, users, here)]


def _of_a_text(connection: Connection, users: Users, place: Place) -> Iterator[SettingsError]:
    """Refuse a column of texts in the place of a test: every text but a number is false, and nobody would be mailed."""
    _, bare = parts(users.table)
    name = users.mailable.strip().replace("`", "").rpartition(".")[2]
    if users.mailable.strip().replace("`", "") not in {name, f"{bare}.{name}", f"{users.table}.{name}"}:
        return
    for column in shapes.columns_of(connection, users.table):
        if column["name"].lower() == name.lower() and isinstance(column["type"], String):
            yield SettingsError(
                f"{name} is a text, which is neither true nor false: nobody would be mailed.",
                advice=f"Compare it: {name} = '…'",
                place=place,
            )


def check_topics(connection: Connection, settings: Settings, settings_file: Document) -> list[SettingsError]:
    """List what in `topics:` of skene.yaml does not match the database, whose users were checked.

    Raises:
        StoreError: the database cannot be asked.
    """
    users = settings.users
    present = columns_in(connection, users.table)
    errors: list[SettingsError] = []
    for name, topic in settings.topics.items():
        agreed = partial(has_agreed, connection, users, name, topic, _SOME_DAY, settings_file)
        errors += _of_test(connection, users, agreed, present, at(settings_file, f"topics.{name}.asked"))
    return errors


def _of_test(
    connection: Connection,
    users: Users,
    test: Callable[[], ColumnElement[int]],
    present: Sequence[str],
    place: Place,
) -> Iterator[SettingsError]:
    try:
        said = planned(connection, select(test()).select_from(users_table(users)))
    except SettingsError as error:
        yield error
        return
    if said:
        yield SettingsError(
            f"The database refuses this SQL: {said}.",
            advice=meant(said, present, []),
            place=place,
            code=Code.SQL_REFUSED,
        )


def check_loop(
    connection: Connection, plan: LoopPlan, settings: Settings, settings_file: Document, as_of: datetime
) -> list[SkeneError]:
    """List what the database refuses in a loop: its exact SQL, its columns, those that it sets, what must be fresh.

    Returns:
        DocumentErrors; and for each right that the database user lacks a StoreError, at the text that needs it.

    Raises:
        StoreError: the database cannot be asked.
    """
    present = columns_in(connection, settings.users.table)
    errors: list[SkeneError] = []
    if plan.fresh is not None:
        errors += fresh_sources.check(connection, fresh_sources.of_loop(plan, settings))
    errors += check_columns(connection, plan, settings)
    for number, step in enumerate(plan.steps):
        try:
            errors += _check_step(connection, plan, number, step, settings, as_of)
        except StoreError as denied:
            if denied.place is None:
                raise
            errors.append(denied)
        if step.email:
            errors += _check_user_columns(plan, number, step, settings.users, present, settings_file)
    return errors


def _check_step(
    connection: Connection, plan: LoopPlan, number: int, step: StepPlan, settings: Settings, as_of: datetime
) -> list[DocumentError]:
    """List what the database refuses in a step's trigger and SQL.

    Raises:
        StoreError: it cannot be asked; or, with a place, the database user lacks a right.
    """
    with needed_at(plan.document.place(("steps", number, "trigger", "table"))):
        of_the_trigger = list(check_rows(connection, plan, number, step, settings))
    if of_the_trigger or not isinstance(step.condition, Query):
        return of_the_trigger
    with needed_at(plan.document.text_place(("steps", number, "condition", "query"))):
        return list(_check_query(connection, plan, step, settings, as_of))


def nullable_columns(connection: Connection, users: Users) -> frozenset[str]:
    """List the columns of the users table that may be NULL, in lower case."""
    columns = shapes.columns_of(connection, users.table)
    return frozenset(column["name"].lower() for column in columns if column["nullable"])


def all_rows(
    connection: Connection, plan: LoopPlan, step: StepPlan, settings: Settings, as_of: datetime
) -> Select[Any]:
    """Select everything that a step's SQL returns, in the form that a run uses; with `$1`, for the rows of one tick.

    Raises:
        QueryRejected: it needs TiDB, and this is the embedded database.
    """
    condition = conditions.answer(connection, plan, step, settings, as_of)
    every: Select[Any] = select(literal_column("*")).select_from(condition.rows)
    if isinstance(step.condition, Query) and step.condition.by_row:
        # An empty window could be planned as one that reads nothing.
        within = trigger_windows.window(step, as_of, last=as_of, first=as_of - timedelta(days=1), at=None)
        every = every.add_cte(trigger_windows.rows(connection, plan, step, "outbox", within).cte(ROWS))
    return every


def _check_query(
    connection: Connection, plan: LoopPlan, step: StepPlan, settings: Settings, as_of: datetime
) -> Iterator[DocumentError]:
    number, query = plan.steps.index(step), step.condition
    assert isinstance(query, Query)
    path = ("steps", number, "condition", "query")
    place = plan.document.text_place(path)
    try:
        every = all_rows(connection, plan, step, settings, as_of)
    except QueryRejected as error:
        yield error
        return
    said = planned(connection, every)
    columns: list[str] = []
    if not said:
        said = refusal(lambda: columns.extend(connection.execute(every.limit(0)).keys()))
    if is_sqlite(connection) and unknown_table(said) in metadata.tables:
        return  # the first run creates it
    if said:
        known = [name for source in query.tables for name in columns_in(connection, source)]
        advice = meant(said, known, inspect(connection).get_table_names())
        place = plan.document.text_place(path, at_word(query.author, unknown_column(said) or unknown_table(said)))
        yield QueryRejected(
            f"The database refuses this SQL: {said}.", advice=advice, place=place, code=Code.SQL_REFUSED
        )
        return
    if not has(columns, query.key):
        yield QueryRejected(
            f"The query does not return the column {query.key!r}, which names the {subject(step).word}.",
            advice=names(query.key, columns),
            place=place,
        )
    if step.email:
        yield from _check_row_columns(plan, number, step.email, columns)


def _check_row_columns(plan: LoopPlan, number: int, email: Email, columns: Sequence[str]) -> Iterator[DocumentError]:
    for name, text in email.personalization:
        place = plan.document.place(("steps", number, "action", "personalization", name))
        for column in sorted(columns_of(text, place).row):
            if not has(columns, column):
                advice = names(column, columns)
                yield LoopInvalid(
                    f"The condition has no column {column!r}.", advice=advice, place=place, code=Code.NO_COLUMN
                )


def _check_user_columns(
    plan: LoopPlan, number: int, step: StepPlan, users: Users, present: Sequence[str], settings_file: Document
) -> Iterator[DocumentError]:
    email = step.email
    assert email is not None
    action = ("steps", number, "action")
    read: dict[str, Place] = {}
    for name, text in email.personalization:
        place = plan.document.place((*action, "personalization", name))
        read |= {column: place for column in columns_of(text, place).user if column not in read}
    # A locale or a time zone that is not there is told where the users are checked.
    for column in {*email.user_columns} - {users.locale, users.timezone}:
        read.setdefault(column, at(settings_file, "sender.unsubscribe_url"))
    if not step.per_account:
        read |= {column: plan.document.place((*action, "set", column)) for column, _ in email.set}
    for column, place in read.items():
        if not has(present, column):
            advice = names(column, present)
            yield LoopInvalid(
                f"Table {users.table!r} has no column {column!r}.", advice=advice, place=place, code=Code.NO_COLUMN
            )
