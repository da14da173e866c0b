"""What a decision or an email depends on, read for a page of users at a time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, Integer, literal_column, select

from skene_dagster.delivery.eligibility import Past
from skene_dagster.delivery.ledger import Scope, sends_of
from skene_dagster.settings import Users
from skene_dagster.store.engine import users_table
from skene_dagster.store.tables import sends


@dataclass(frozen=True)
class Person:
    """A user as the database has him now."""

    address: str | None
    mailable: bool
    """Whether skene.yaml allows him to be mailed at all."""
    columns: Mapping[str, object]
    """The columns asked for, the key and the address."""


def people(
    connection: Connection, users: Users, keys: Sequence[object], columns: Sequence[str] = ()
) -> dict[object, Person]:
    """Read the users with these keys, by key; who is no user is not in the answer."""
    wanted = sorted({*columns, users.email} - {users.key})
    table = users_table(users, *wanted)
    # The author's own SQL from skene.yaml, over the columns of the users table only.
    mailable = literal_column(f"CASE WHEN ({users.mailable}) THEN 1 ELSE 0 END", Integer).label("skene_mailable")
    key_column = table.c[users.key]
    query = select(key_column, mailable, *(table.c[name] for name in wanted)).where(key_column.in_(keys))
    found: dict[object, Person] = {}
    for key, may, *values in connection.execute(query):
        named = {users.key: key, **dict(zip(wanted, values, strict=True))}
        found[key] = Person(named[users.email], bool(may), named)
    return found


def history(connection: Connection, scope: Scope, keys: Sequence[object]) -> dict[object, Past]:
    """Read what the ledger knows about each user of a page (keys in ascending order)."""
    query = (
        select(sends.c.user_id, sends.c.state, sends.c.reason, sends.c.as_of)
        .where(sends_of(scope), sends.c.user_id >= keys[0], sends.c.user_id <= keys[-1])
        .order_by(sends.c.user_id, sends.c.as_of, sends.c.decided_at)
    )
    known: dict[object, Past] = {}
    for user_id, state, reason, decided_as_of in connection.execute(query):
        past = known.get(user_id)
        mailed = decided_as_of if state == "accepted" else past.mailed_as_of if past else None
        known[user_id] = Past(past.occurrences + 1 if past else 1, state, reason, decided_as_of, mailed)
    return known
