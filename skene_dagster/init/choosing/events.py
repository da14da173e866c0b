"""Which table has the usage events."""

from dataclasses import dataclass

from skene_dagster.init.choosing import vocabulary
from skene_dagster.init.choosing.columns import When, find, read_when
from skene_dagster.init.schema import Column, Rows, Schema, Table
from skene_dagster.init.words import prefix_of, words_of

LEAST = 36
"""Points below which a table is not taken for one of events."""


@dataclass(frozen=True)
class EventsTable:
    """A table of events, and what its columns are."""

    table: Table
    points: int
    key: str
    user: Column
    name: Column
    at: When
    arrived: When | None
    polymorphic: str = ""
    """The column that says of which kind the user is: ids of other kinds collide."""


def find_events(schema: Schema, users: Table, rows: Rows) -> list[EventsTable]:
    """List the tables that may have events, the likeliest first."""
    prefix = prefix_of(table.name for table in schema.tables)
    found = [
        one
        for table in schema.tables
        if table.name != users.name and (one := _events(table, users, rows, prefix)) is not None
    ]
    return sorted(found, key=lambda one: (-one.points, one.table.name))


def as_events(schema: Schema, table: Table, users: Table, rows: Rows) -> EventsTable | None:
    """Read a table that a person named as one of events; None if it has no user, name or time."""
    return _events(table, users, rows, prefix_of(one.name for one in schema.tables), asked=True)


def _events(table: Table, users: Table, rows: Rows, prefix: str, *, asked: bool = False) -> EventsTable | None:
    own = words_of(users, prefix)[-1:] or ("user",)
    user = next((one for one in table.columns if one.refers_to.lower() == users.name.lower()), None)
    user = user or find(table, (f"{own[0]}id", *vocabulary.EVENT_USERS), kinds=("text", "number", "other"))
    name = find(table, vocabulary.EVENT_NAMES, kinds=["text"])
    at = next(
        (
            seen
            for one in vocabulary.EVENT_TIMES
            if (column := find(table, [one])) and (seen := read_when(table, column, rows))
        ),
        None,
    )
    if user is None or name is None or at is None or not table.primary:
        return None
    words = words_of(table, prefix)
    points = max((vocabulary.EVENTS[word] for word in words if word in vocabulary.EVENTS), default=0)
    points -= 30 * sum(word in vocabulary.NO_EVENTS for word in words)
    points += (
        12 - min(2 * vocabulary.EVENT_NAMES.index(_fold(name.name)), 10)
        if _fold(name.name) in vocabulary.EVENT_NAMES
        else 2
    )
    points += 10 if _fold(at.column) in vocabulary.SURE_EVENT_TIMES else 6
    points += 8 if user.refers_to or _fold(user.name) in vocabulary.SURE_EVENT_USERS else 4
    points += 8 if find(table, vocabulary.PROPERTIES) else 0
    points += 5 if len(table.primary) == 1 else 0
    points -= 30 if find(table, vocabulary.APPOINTMENTS) else 0
    if (points < LEAST and not asked) or len(table.primary) != 1:
        return None
    arrived = find(table, vocabulary.ARRIVED)
    stem = user.name.removesuffix("_id").removesuffix("Id")
    kind = next(
        (one.name for one in table.columns if one.name.lower() in {f"{stem}_type".lower(), f"{stem}type".lower()}), ""
    )
    return EventsTable(
        table, points, table.primary[0], user, name, at, read_when(table, arrived, rows) if arrived else None, kind
    )


def _fold(name: str) -> str:
    return name.lower().replace("_", "")
