"""What the SQL of skene.yaml says of a user or an account, as part of our statements: whom to mail, who owns it."""

from datetime import datetime

from sqlalchemy import ColumnElement, Connection, Integer, TextClause, case, literal, text

from skene_dagster.documents import Document, Path_, in_words
from skene_dagster.errors import QueryRejected, SettingsError
from skene_dagster.loops.plan import Expression
from skene_dagster.loops.planning.user_tests import (
    MAILABLE,
    OWNER,
    asked_of,
    plan_asked,
    plan_mailable,
    plan_owner,
)
from skene_dagster.product import sql_moments
from skene_dagster.product.tick_clock import bound
from skene_dagster.settings import FILE, Accounts, Topic, Users


def is_mailable(
    connection: Connection, users: Users, as_of: datetime, document: Document | None = None
) -> ColumnElement[int]:
    """Return an expression that is 1 for users who may be mailed at all, otherwise 0; its clock is the tick's.

    Args:
        document: skene.yaml, for the lines of what is wrong.

    Raises:
        SettingsError: it cannot be used, or not on this database.
    """
    return _test(connection, users, plan_mailable(users, document), MAILABLE, as_of, document)


def has_agreed(
    connection: Connection, users: Users, name: str, topic: Topic, as_of: datetime, document: Document | None = None
) -> ColumnElement[int]:
    """Return an expression that is 1 for users who agreed to a topic in the product, otherwise 0; see `is_mailable`.

    Raises:
        SettingsError: `asked` cannot be used, or not on this database.
    """
    asked = plan_asked(name, topic, document)
    if asked is None:
        return literal(0, Integer)
    return _test(connection, users, asked, asked_of(name), as_of, document)


def owner_of(
    connection: Connection, accounts: Accounts, as_of: datetime, document: Document | None = None
) -> TextClause:
    """Return the SQL that is the users key of an account's owner, or NULL; see `is_mailable`.

    Raises:
        SettingsError: it cannot be used, or not on this database.
    """
    return _bound(connection, accounts.table, plan_owner(accounts, document), OWNER, as_of, document)


def _test(
    connection: Connection, users: Users, test: Expression, path: Path_, as_of: datetime, document: Document | None
) -> ColumnElement[int]:
    return case((_bound(connection, users.table, test, path, as_of, document), 1), else_=literal(0, Integer))


def _bound(
    connection: Connection, table: str, test: Expression, path: Path_, as_of: datetime, document: Document | None
) -> TextClause:
    document = document or Document(FILE, {})
    place = document.text_place(path)
    try:
        sql_moments.refuse_numbers(connection, test, place=place, lines=document.text_lines(path), row=table)
    except QueryRejected as bad:
        raise SettingsError(bad.message, advice=bad.advice, place=bad.place) from None
    sql = sql_moments.readable_text(connection, test, table)
    if sql is None:
        raise SettingsError(
            f"'{in_words(path)}' cannot run on SQLite: {test.needs_tidb}.",
            advice=f"Set SKENE_DATABASE_URL to a TiDB database, or write it differently in {FILE}.",
            place=place,
        )
    return bound(text(f"({sql})"), as_of)
