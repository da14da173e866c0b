"""How far a provider's list is read, so that a reading begins where the last one ended, and goes on where it died.

This module owns the rows `suppressions of …` of skene_meta.
"""

import json
from dataclasses import asdict, dataclass

from sqlalchemy import Connection, insert, select, update

from skene_dagster.store.tables import meta


@dataclass(frozen=True)
class ReadingPlace:
    """How far the list of one account is read."""

    known: str | None = None
    """The newest entry of the last reading that was completed: what is older than that is known."""
    newest: str | None = None
    """The newest entry of a reading that is not."""
    after: str | None = None
    """The last entry that it has read."""
    forbidden: bool = False
    """The key may not read it, and people know."""

    def anew(self) -> "ReadingPlace":
        """Begin again at the newest entry."""
        return ReadingPlace(self.known)


class Overtaken(Exception):
    """Another reading of the same list is on its way."""


def read(connection: Connection, account: str) -> ReadingPlace:
    """Return how far it is read."""
    said = connection.execute(select(meta.c.value).where(meta.c.name == _row(account))).scalar_one_or_none()
    return ReadingPlace() if said is None else ReadingPlace(**json.loads(said))


def move(connection: Connection, account: str, before: ReadingPlace, now: ReadingPlace) -> None:
    """Go on, in the transaction of what was read; once more does no harm.

    Raises:
        Overtaken: another reading has moved it.
        IntegrityError: another one begins at this moment.
    """
    row = meta.c.name == _row(account)
    said = connection.execute(select(meta.c.value).where(row).with_for_update()).scalar_one_or_none()
    there = ReadingPlace() if said is None else ReadingPlace(**json.loads(said))
    if there not in (before, now):
        raise Overtaken
    # At most 233 characters: an id has 60.
    value = json.dumps(asdict(now), separators=(",", ":"))
    if said is None:
        connection.execute(insert(meta).values(name=_row(account), value=value))
    elif said != value:
        connection.execute(update(meta).where(row).values(value=value))


def _row(account: str) -> str:
    return f"suppressions of {account}"
