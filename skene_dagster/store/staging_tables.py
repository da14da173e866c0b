"""Tables of a lease's own: made for one piece of work, and dropped with it, or by the next one.

Their names carry the fence of the lease, so that a process that lost it never touches a newer one's.
"""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from sqlalchemy import Connection, Engine, MetaData, Table, inspect
from sqlalchemy.schema import SchemaItem

from skene_dagster.errors import StoreError
from skene_dagster.store.engine import transaction
from skene_dagster.store.leasing.leases import Lease


def fresh(connection: Connection, lease: Lease, what: str, *columns: SchemaItem, part: str = "") -> Table:
    """Create a table of a lease's own, after those of earlier leases for the same are dropped; dead ones left them.

    Args:
        part: tells this table from others of the same lease.
    """
    prefix = _prefix(what)
    for name in inspect(connection).get_table_names():
        if name.startswith(prefix) and int(name.removeprefix(prefix).partition("_")[0]) < lease.fence:
            Table(name, MetaData()).drop(connection)
    table = Table(
        f"{prefix}{lease.fence}{part and '_'}{part}",
        MetaData(),
        *columns,
        mysql_engine="InnoDB",
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
    )
    table.create(connection)
    return table


@contextmanager
def while_used(engine: Engine, create: Callable[[Connection], Table]) -> Iterator[Table]:
    """Create a table, yield it, and drop it."""
    table = transaction(engine, create)
    try:
        yield table
    finally:
        # What cannot be dropped now is dropped by the next refresh.
        with suppress(StoreError):
            transaction(engine, lambda connection: drop(connection, table))


def drop(connection: Connection, staging: Table) -> None:
    """Drop the staging table."""
    staging.drop(connection, checkfirst=True)


def _prefix(what: str) -> str:
    return f"skene_staging_{hashlib.sha256(what.encode()).hexdigest()[:12]}_"
