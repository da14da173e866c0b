"""Tables of a lease's own: made for one piece of work, and dropped with it, or by the next one.

Their names carry the fence of the lease, so that a process that lost it never touches a newer one's.
"""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from sqlalchemy import Connection, Engine, MetaData, Table, column, delete, inspect, table
from sqlalchemy.exc import NoSuchTableError
from sqlalchemy.schema import SchemaItem

from skene_dagster.errors import StoreError
from skene_dagster.store.engine import transaction
from skene_dagster.store.leasing.leases import Lease

PREFIX = "skene_staging_"


def fresh(connection: Connection, lease: Lease, what: str, *columns: SchemaItem, part: str = "") -> Table:
    """Create a table of a lease's own, after those of earlier leases for the same are dropped; dead ones left them.

    Args:
        part: tells this table from others of the same lease.
    """
    prefix = _prefix(what)
    for name in inspect(connection).get_table_names():
        if name.startswith(prefix) and int(name.removeprefix(prefix).partition("_")[0]) < lease.fence:
            Table(name, MetaData()).drop(connection)
    made = Table(
        f"{prefix}{lease.fence}{part and '_'}{part}",
        MetaData(),
        *columns,
        mysql_engine="InnoDB",
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
    )
    made.create(connection)
    return made


@contextmanager
def while_used(engine: Engine, create: Callable[[Connection], Table]) -> Iterator[Table]:
    """Create a table, yield it, and drop it."""
    made = transaction(engine, create)
    try:
        yield made
    finally:
        # What cannot be dropped now is dropped by the next refresh.
        with suppress(StoreError):
            transaction(engine, lambda connection: drop(connection, made))


def drop(connection: Connection, staging: Table) -> None:
    """Drop the staging table."""
    staging.drop(connection, checkfirst=True)


def with_users(connection: Connection) -> list[str]:
    """Name the tables that are there and have rows of users: of what is under way, or of what died."""
    found = inspect(connection)
    names = [name for name in found.get_table_names() if name.startswith(PREFIX)]
    return [name for name in names if "user_id" in _columns(connection, name)]


def forget_user(connection: Connection, name: str, user_id: object) -> int:
    """Delete a user from one of them; return how many rows it was: none if it was dropped meanwhile."""
    if "user_id" not in _columns(connection, name):
        return 0
    mine = table(name, column("user_id"))
    return connection.execute(delete(mine).where(mine.c.user_id == user_id)).rowcount


def _columns(connection: Connection, name: str) -> set[str]:
    # Another process may drop it at any moment.
    try:
        return {known["name"] for known in inspect(connection).get_columns(name)}
    except NoSuchTableError:
        return set()


def _prefix(what: str) -> str:
    return f"{PREFIX}{hashlib.sha256(what.encode()).hexdigest()[:12]}_"
