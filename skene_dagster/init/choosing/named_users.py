"""Which column of the users table the events name users by: its key, or another one that is unique."""

from skene_dagster.init.choosing.events import EventsTable
from skene_dagster.init.schema import Column, Rows, Table

_COMPARED = {"text", "number"}
"""The kinds that are compared exactly with each other."""


def named_by(events: EventsTable, users: Table, rows: Rows) -> str | None:
    """Return the column of the users table that has what the events name users by; None: nothing compares exactly.

    A name that both tables have decides; without one, the values do; without values it is the key.
    """
    others = [one for one in users.columns if one.unique and one.name not in users.primary and _fit(events.user, one)]
    same_name = [one.name for one in others if _folded(one.name) == _folded(events.user.name)]
    if same_name:
        return same_name[0]
    key = users.column(users.primary[0])
    candidates = ([key] if key is not None and _fit(events.user, key) else []) + others
    if not candidates:
        return None
    known = set(map(str, rows.sample(events.table.name, events.user.name)))
    met = {one.name: len(known & set(map(str, rows.sample(users.name, one.name)))) for one in candidates}
    best = max(candidates, key=lambda one: met[one.name])
    if met[best.name] > 0:
        return best.name
    # The events that were looked at name none of the users that were.
    return candidates[0].name if candidates[0] is key else None


def _fit(one: Column, other: Column) -> bool:
    return one.declared.lower() == other.declared.lower() or {one.kind, other.kind} <= _COMPARED


def _folded(name: str) -> str:
    return name.lower().replace("_", "")
