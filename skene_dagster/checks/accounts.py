"""What only the database knows about the accounts of a project: their table, who belongs to one, who owns it."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from sqlalchemy import Connection, select

from skene_dagster.checks.db_errors import at, columns_in, has, meant, names, planned
from skene_dagster.checks.event_sources import check_moments
from skene_dagster.codes import Code
from skene_dagster.documents import Document
from skene_dagster.errors import LoopInvalid, Place, SettingsError
from skene_dagster.loops.plan import LoopPlan, Query, StepPlan
from skene_dagster.loops.planning.accounts import is_per_account
from skene_dagster.loops.planning.expressions import columns_of
from skene_dagster.loops.triggers import Rows
from skene_dagster.product.user_tests import owner_of
from skene_dagster.settings import Accounts, MomentColumn, Settings
from skene_dagster.store.engine import users_table
from skene_dagster.store.keys import key_of, same_as_users_key


def check_accounts(
    connection: Connection, settings: Settings, plans: Sequence[LoopPlan], settings_file: Document, as_of: datetime
) -> Iterator[SettingsError]:
    """List what in `accounts:` of skene.yaml does not match the database: what is written there, or loops need.

    Raises:
        StoreError: the database cannot be asked.
    """
    accounts = settings.accounts
    if accounts is None:
        return
    try:
        key_of(connection, accounts)
    except SettingsError as error:
        part = error.place.part if error.place else ""
        yield SettingsError(error.message, advice=error.advice, place=at(settings_file, part), code=error.code)
        return
    if accounts.plan is not None and not has(present := columns_in(connection, accounts.table), accounts.plan):
        yield _missing(accounts, accounts.plan, present, at(settings_file, "accounts.plan"))
    if accounts.updated_at is not None:
        yield from _of_the_change(connection, accounts, accounts.updated_at, settings_file)
    if accounts.owner.strip():
        yield from _of_the_owner(connection, accounts, settings_file, as_of)
    needed = any(_asks_for_members(step) for plan in plans for step in plan.steps)
    if needed or "user_column" in accounts.model_fields_set:
        try:
            same_as_users_key(connection, accounts, settings.users.table, accounts.user_column)
        except SettingsError as error:
            yield SettingsError(
                error.message,
                advice=error.advice,
                place=at(settings_file, "accounts.user_column"),
                code=error.code,
            )


def check_columns(connection: Connection, plan: LoopPlan, settings: Settings) -> Iterator[LoopInvalid]:
    """List the columns that a loop's emails name of the accounts table, or set, and that it does not have.

    Raises:
        StoreError: the database cannot be asked.
    """
    accounts = settings.accounts
    if accounts is None or not is_per_account(plan):
        return
    present = columns_in(connection, accounts.table)
    for number, step in enumerate(plan.steps):
        for column, place in _named(plan, number, step):
            if not has(present, column):
                said = f"Table {accounts.table!r} has no column {column!r}."
                yield LoopInvalid(said, advice=names(column, present), place=place, code=Code.NO_COLUMN)


def _named(plan: LoopPlan, number: int, step: StepPlan) -> Iterator[tuple[str, Place]]:
    """Name the columns of the accounts table that a step's email needs, each with its place in the file."""
    if step.email is None:
        return
    action = ("steps", number, "action")
    for name, text in step.email.personalization:
        place = plan.document.place((*action, "personalization", name))
        yield from ((column, place) for column in sorted(columns_of(text, place).account))
    for column, _ in step.email.set if step.per_account else ():
        yield column, plan.document.place((*action, "set", column))


def _of_the_change(
    connection: Connection, accounts: Accounts, updated_at: MomentColumn, settings_file: Document
) -> Iterator[SettingsError]:
    present = columns_in(connection, accounts.table)
    if has(present, updated_at.column):
        yield from check_moments(connection, accounts.table, updated_at, settings_file, "accounts.updated_at")
        return
    yield _missing(accounts, updated_at.column, present, at(settings_file, "accounts.updated_at"))


def _missing(accounts: Accounts, column: str, present: Sequence[str], place: Place) -> SettingsError:
    said = f"Table {accounts.table!r} has no column {column!r}."
    return SettingsError(said, advice=names(column, present), place=place, code=Code.NO_COLUMN)


def _asks_for_members(step: StepPlan) -> bool:
    """Whether it matters to a step which users an account has."""
    of_its_user = isinstance(step.trigger, Rows) and not step.trigger.of_accounts
    return step.per_account and (step.recipient != "owner" or not isinstance(step.condition, Query) or of_its_user)


def _of_the_owner(
    connection: Connection, accounts: Accounts, settings_file: Document, as_of: datetime
) -> Iterator[SettingsError]:
    place = at(settings_file, "accounts.owner")
    try:
        said = planned(
            connection, select(owner_of(connection, accounts, as_of, settings_file)).select_from(users_table(accounts))
        )
    except SettingsError as error:
        yield error
        return
    if said:
        present = columns_in(connection, accounts.table)
        yield SettingsError(
            f"The database refuses this SQL: {said}.",
            advice=meant(said, present, []),
            place=place,
            code=Code.SQL_REFUSED,
        )
