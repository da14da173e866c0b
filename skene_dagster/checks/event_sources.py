"""What only the database knows about where events, and rows that trigger, are read."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from sqlalchemy import Connection, inspect, select

from skene_dagster.behaviour.product_events import source
from skene_dagster.checks.db_errors import at, columns_in, has, meant, names, needed_at, planned
from skene_dagster.codes import Code
from skene_dagster.documents import Document
from skene_dagster.errors import DocumentError, LoopInvalid, SettingsError, SkeneError, StoreError
from skene_dagster.loops.plan import LoopPlan, StepPlan
from skene_dagster.loops.planning.accounts import accounts_of
from skene_dagster.loops.planning.usage import plan_usage
from skene_dagster.loops.triggers import Rows
from skene_dagster.product import mapped_moments
from skene_dagster.settings import MomentColumn, Settings
from skene_dagster.store import tables
from skene_dagster.store.keys import same_as_users_key


def check_events(connection: Connection, settings: Settings, settings_file: Document) -> Sequence[SkeneError]:
    """List what in `events:` of skene.yaml, and in the features' SQL, does not match the database.

    Returns:
        SettingsErrors; or a StoreError at the text that needs a right which the database user lacks.

    Raises:
        StoreError: the database cannot be asked.
    """
    try:
        with needed_at(at(settings_file, "events.table")):
            return _check_events(connection, settings, settings_file)
    except StoreError as denied:
        if denied.place is None:
            raise
        return [denied]


def _check_events(connection: Connection, settings: Settings, settings_file: Document) -> list[SettingsError]:
    events = settings.events
    present = columns_in(connection, events.table)
    if events.table == tables.events.name:
        # They are created with our other tables.
        return _check_features(connection, settings, settings_file) if present else []
    if not present:
        known = inspect(connection).get_table_names()
        place = at(settings_file, "events.table")
        message = f"Table {events.table!r} is not in the database."
        return [SettingsError(message, advice=names(events.table, known), place=place, code=Code.NO_TABLE)]
    moments = {"at": events.at, **({"arrived": events.arrived} if events.arrived else {})}
    named = {"key": events.key, "user": events.user, "name": events.name}
    named |= {field: mapped.column for field, mapped in moments.items()}
    errors = [
        SettingsError(
            f"Table {events.table!r} has no column {column!r}.",
            advice=names(column, present),
            place=at(settings_file, f"events.{field}"),
            code=Code.NO_COLUMN,
        )
        for field, column in named.items()
        if not has(present, column)
    ]
    if not errors:
        try:
            same_as_users_key(connection, settings.users, events.table, events.user)
        except SettingsError as bad:
            errors.append(
                SettingsError(bad.message, advice=bad.advice, place=at(settings_file, "events.user"), code=bad.code)
            )
        for field, mapped in moments.items():
            errors += check_moments(connection, events.table, mapped, settings_file, f"events.{field}")
    return errors or _check_features(connection, settings, settings_file)


def _check_features(connection: Connection, settings: Settings, settings_file: Document) -> list[SettingsError]:
    """List the features whose SQL the database refuses, in the form that a rollup uses."""
    usage = plan_usage(settings, settings_file)
    errors = []
    for feature in usage.sql_features:
        place = settings_file.text_place(("features", feature.name, "sql"))
        try:
            rows = source(connection, replace(usage, features=(feature,), milestones=())).rows
        except SettingsError as bad:
            errors.append(SettingsError(bad.message, advice=bad.advice, place=place, code=bad.code))
            continue
        with needed_at(place):
            said = planned(connection, select(rows))
        if said:
            advice = meant(said, columns_in(connection, settings.events.table), ())
            errors.append(
                SettingsError(
                    f"The database refuses this SQL: {said}.", advice=advice, place=place, code=Code.SQL_REFUSED
                )
            )
    return errors


def check_moments(
    connection: Connection, table: str, mapped: MomentColumn, settings_file: Document, part: str
) -> Iterator[SettingsError]:
    """Check that a column that skene.yaml names for moments holds moments, or numbers with a unit."""
    try:
        mapped_moments.check(connection, table, mapped, part)
    except SettingsError as bad:
        yield SettingsError(bad.message, advice=bad.advice, place=at(settings_file, part), code=bad.code)


def check_rows(
    connection: Connection, plan: LoopPlan, number: int, step: StepPlan, settings: Settings
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
            f"Table {trigger.table!r} is not in the database.",
            advice=names(trigger.table, known),
            place=place,
            code=Code.NO_TABLE,
        )
        return
    whose, mapped = ("account", accounts_of(settings)) if trigger.of_accounts else ("user", settings.users)
    for field, name in (("key", trigger.key), (whose, trigger.user), ("at", trigger.at.column)):
        if not has(present, name):
            advice = f"{names(name, present)} Name the column in the trigger: `{field}: …`."
            place = plan.document.place((*path, field))
            yield LoopInvalid(
                f"Table {trigger.table!r} has no column {name!r}.", advice=advice, place=place, code=Code.NO_COLUMN
            )
            return
    try:
        same_as_users_key(connection, mapped, trigger.table, trigger.user)
    except SettingsError as bad:
        place = plan.document.place((*path, whose))
        yield LoopInvalid(bad.message, advice=bad.advice, place=place, code=bad.code)
    try:
        mapped_moments.check(connection, trigger.table, trigger.at, "at")
    except SettingsError as bad:
        yield LoopInvalid(bad.message, advice=bad.advice, place=plan.document.place((*path, "at")), code=bad.code)
