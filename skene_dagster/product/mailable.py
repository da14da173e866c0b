"""Who may be mailed at all: `users.mailable` of skene.yaml, as part of our statements."""

from datetime import datetime

from sqlalchemy import ColumnElement, Connection, Integer, case, literal, text

from skene_dagster.documents import Document
from skene_dagster.errors import QueryRejected, SettingsError
from skene_dagster.loops.planning.mailable import plan_mailable
from skene_dagster.product import sql_moments
from skene_dagster.product.tick_clock import bound
from skene_dagster.settings import FILE, Users


def is_mailable(
    connection: Connection, users: Users, as_of: datetime, document: Document | None = None
) -> ColumnElement[int]:
    """Return an expression that is 1 for users who may be mailed at all, otherwise 0; its clock is the tick's.

    Args:
        document: skene.yaml, for the lines of what is wrong.

    Raises:
        SettingsError: it cannot be used, or not on this database.
    """
    document, path = document or Document(FILE, {}), ("users", "mailable")
    test, place = plan_mailable(users, document), document.text_place(path)
    try:
        sql_moments.refuse_numbers(connection, test, place=place, lines=document.text_lines(path), row=users.table)
    except QueryRejected as bad:
        raise SettingsError(bad.message, advice=bad.advice, place=bad.place) from None
    sql = sql_moments.readable_text(connection, test, users.table)
    if sql is None:
        raise SettingsError(
            f"'users.mailable' cannot run on SQLite: {test.needs_tidb}.",
            advice=f"Set SKENE_DATABASE_URL to a TiDB database, or write it differently in {FILE}.",
            place=place,
        )
    return case((bound(text(f"({sql})"), as_of), 1), else_=literal(0, Integer))
