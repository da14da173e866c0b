"""A product's users of any kind of key, and what is in skene_events."""

from typing import Any

import prepared_tables
from sqlalchemy import Engine, select, text

from skene_dagster.settings import Users
from skene_dagster.store.tables import events


def make_users(engine: Engine, key: str = "BIGINT") -> None:
    """Make an empty users table and the skene_* tables beside it."""
    with engine.begin() as connection:
        connection.execute(text(f"CREATE TABLE users (id {key} NOT NULL PRIMARY KEY)"))
    prepared_tables.make(engine, Users())


def rows(engine: Engine) -> list[dict[str, Any]]:
    """Every event, in the order of their ids."""
    with engine.connect() as connection:
        return [dict(row) for row in connection.execute(select(events).order_by(events.c.event_id)).mappings()]


def ids(engine: Engine) -> list[str]:
    """The ids of all events."""
    return [row["event_id"] for row in rows(engine)]


def nested(depth: int) -> dict[str, Any]:
    """An object so many objects deep."""
    value: dict[str, Any] = {"a": "[[["}
    for _ in range(depth - 1):
        value = {"a": value}
    return value
