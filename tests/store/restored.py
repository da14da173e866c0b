"""A ledger that is restored from a backup."""

from collections.abc import Callable
from typing import Any

from delivery_world import World
from sqlalchemy import delete, insert, select

from skene_dagster.store.tables import metadata


def backup(world: World) -> Callable[[], None]:
    """Keep the skene_* tables as they are now; what is returned restores them."""
    with world.engine.connect() as connection:
        kept: dict[Any, list[Any]] = {
            table: [dict(row) for row in connection.execute(select(table)).mappings()]
            for table in metadata.sorted_tables
        }

    def restore() -> None:
        with world.engine.begin() as connection:
            for table, rows in kept.items():
                connection.execute(delete(table))
                if rows:
                    connection.execute(insert(table), rows)

    return restore
