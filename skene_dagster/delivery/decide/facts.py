"""What a decision or an email depends on, read for a page of users at a time."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import BindParameter, Connection, Row, Select, and_, bindparam, select
from sqlalchemy.exc import DBAPIError

from skene_dagster.delivery.decide.eligibility import IN_FLIGHT, Past
from skene_dagster.delivery.ledger import Scope, sends_of
from skene_dagster.delivery.model import Reason, SendState
from skene_dagster.errors import Place, SettingsError
from skene_dagster.loops.plan import segment_name
from skene_dagster.product.mailable import is_mailable
from skene_dagster.settings import FILE, Users
from skene_dagster.store.engine import users_table
from skene_dagster.store.failures import code_of, words_of
from skene_dagster.store.tables import OPEN, segment_members, sends

UNKNOWN_COLUMN = 1054

MAILED: tuple[SendState, ...] = ("accepted", "in_doubt")
"""States of a send that was a mail, or may have been one."""


def _history() -> Select[Any]:
    member, send = segment_members.c, sends.c
    first: BindParameter[Any] = bindparam("first")
    last: BindParameter[Any] = bindparam("last")
    inside = and_(
        member.segment == bindparam("segment"),
        member.exited_at == OPEN,
        member.user_id == send.user_id,
        member.user_id >= first,
        member.user_id <= last,
    )
    return (
        select(member.user_id, send.user_id, send.state, send.reason, send.as_of)
        .select_from(sends.outerjoin(segment_members, inside))
        .where(*(send[name] == bindparam(name) for name in ("mode", "loop", "step")))
        .where(send.user_id >= first, send.user_id <= last)
        .order_by(send.user_id, send.as_of, send.decided_at)
    )


# Built once, for to build it takes longer than to execute it.
_HISTORY = _history()


@dataclass(frozen=True)
class Person:
    """A user as the database has him now."""

    address: str | None
    mailable: bool
    """Whether skene.yaml allows him to be mailed at all."""
    columns: Mapping[str, object]
    """The columns asked for, the key and the address."""


def people(
    connection: Connection, users: Users, keys: Sequence[object], columns: Sequence[str] = (), *, as_of: datetime
) -> dict[object, Person]:
    """Read the users with these keys, by key as it was asked; who is no user is not in the answer.

    Args:
        as_of: the tick's, for the clock of `users.mailable`.

    Raises:
        SettingsError: the database refuses `users.mailable` or a column that skene.yaml names.
    """
    wanted = sorted({*columns, users.email} - {users.key})
    table = users_table(users, *wanted)
    mailable = is_mailable(connection, users, as_of).label("skene_mailable")
    key_column = table.c[users.key]
    query = select(key_column, mailable, *(table.c[name] for name in wanted))

    def person(row: Row[Any]) -> Person:
        key, may, *values = tuple(row)
        named = {users.key: key, **dict(zip(wanted, values, strict=True))}
        return Person(_address(named[users.email]), bool(may), named)

    with _mapped_by_settings(users, columns):
        rows = connection.execute(query.where(key_column.in_(keys))).all()
    read = {row[0]: person(row) for row in rows}
    found = {key: read.pop(key) for key in keys if key in read}
    if read:
        # Under the collation of the users key `a` and `A` may be one user; which are, only the database knows.
        for key in keys:
            if key not in found and (row := connection.execute(query.where(key_column == key)).one_or_none()):
                found[key] = person(row)
    return found


def _address(value: object) -> str | None:
    """Return what a column holds as the text that it should be: whatever is no address is refused as one."""
    if isinstance(value, bytes):
        return value.rstrip(b"\0").decode(errors="replace")
    return value if value is None else str(value)


@contextmanager
def _mapped_by_settings(users: Users, columns: Sequence[str]) -> Iterator[None]:
    """Say where a name stands that the database does not know: in skene.yaml, for the statement is ours."""
    try:
        yield
    except DBAPIError as error:
        words = words_of(error)
        if "no such column" not in words and code_of(error) != UNKNOWN_COLUMN:
            raise
        of_the_email = {name for name in columns if name != users.email}
        if any(re.search(rf"\b{re.escape(name)}\b", words) for name in of_the_email):
            raise
        part = "users.email" if re.search(rf"\b{re.escape(users.email)}\b", words) else "users.mailable"
        raise SettingsError(
            f"The database refuses it: {words}.",
            advice="Mend it; `skene-dagster validate --database` checks all of it.",
            place=Place(FILE, part=part),
        ) from error


def history(connection: Connection, scope: Scope, keys: Sequence[object]) -> dict[object, Past]:
    """Read what the ledger knows about each user of a page (keys in ascending order).

    A member is named as the segment spells his key, however the ledger did at the time.
    """
    of = {"segment": segment_name(scope.loop, scope.step), "first": keys[0], "last": keys[-1], **asdict(scope)}
    known: dict[object, Past] = {}
    for member, decided, state, reason, decided_as_of in connection.execute(_HISTORY, of):
        user_id = decided if member is None else member
        past = known.get(user_id)
        mailed = decided_as_of if state in MAILED else past.mailed_as_of if past else None
        known[user_id] = Past(past.occurrences + 1 if past else 1, state, reason, decided_as_of, mailed)
    return known


def of_rows(connection: Connection, scope: Scope, keys: Sequence[tuple[object, str]]) -> dict[tuple[object, str], Past]:
    """Read what the ledger knows about rows that triggered, by user and occurrence.

    For a row without a decision there is the last mail to its user, if there was one: `state` is None then.
    """
    users = list(dict.fromkeys(user_id for user_id, _ in keys))
    columns = sends.c
    query = (
        select(columns.user_id, columns.occurrence, columns.state, columns.reason, columns.as_of)
        .where(sends_of(scope), columns.user_id.in_(users))
        .order_by(columns.as_of, columns.decided_at)
    )
    decided: dict[tuple[object, str], tuple[SendState | None, Reason | None, datetime]] = {}
    mailed: dict[object, datetime] = {}
    for user_id, occurrence, state, reason, as_of in connection.execute(query):
        decided[user_id, occurrence] = state, reason, as_of
        if state in (*MAILED, *IN_FLIGHT):
            mailed[user_id] = as_of
    known: dict[tuple[object, str], Past] = {}
    for user_id, occurrence in keys:
        state, reason, as_of = decided.get((user_id, occurrence), (None, None, datetime.min))  # noqa: DTZ901 - none
        if state or user_id in mailed:
            known[user_id, occurrence] = Past(1, state, reason, as_of, mailed.get(user_id))
    return known
