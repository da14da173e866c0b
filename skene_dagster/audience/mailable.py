"""Who may be mailed at all, as skene.yaml says: `users.mailable`, as a part of our statements."""

from datetime import datetime

from sqlalchemy import ColumnElement, Connection, Integer, case, literal, text

from skene_dagster.audience.moments import bound
from skene_dagster.errors import Place, SettingsError
from skene_dagster.loops.mailable import plan_mailable
from skene_dagster.settings import FILE, Users
from skene_dagster.store.engine import is_sqlite


def is_mailable(connection: Connection, users: Users, as_of: datetime) -> ColumnElement[int]:
    """Say 1 of a user who may be mailed at all, else 0; its clock is the tick's.

    Raises:
        SettingsError: it cannot be used, or not on this database.
    """
    test = plan_mailable(users)
    sql = test.sqlite if is_sqlite(connection) else test.mysql
    if sql is None:
        raise SettingsError(
            f"'users.mailable' cannot run on SQLite: {test.needs_tidb}.",
            advice=f"Set SKENE_DATABASE_URL to a TiDB database, or write it otherwise in {FILE}.",
            place=Place(FILE, part="users.mailable"),
        )
    return case((bound(text(f"({sql})"), as_of), 1), else_=literal(0, Integer))
