"""How many emails people have had."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, and_, case, func, select

from skene_dagster.delivery.ledger.scope import StepScope, sends_of
from skene_dagster.delivery.model import MAILED
from skene_dagster.store.tables import contacts, sends

SOME = 1000
"""Keys of a statement."""

_SAME = and_(*(contacts.c[name] == sends.c[name] for name in ("mode", "loop", "step", "user_id", "occurrence")))


def mails_of_step(connection: Connection, scope: StepScope, *, since: datetime) -> int:
    """Count the emails of a step that were accepted, or may have been, of ticks after a moment."""
    query = select(func.count()).where(sends_of(scope), sends.c.state.in_(MAILED), sends.c.as_of > since)
    return connection.execute(query).scalar_one()


def people_by_mails(
    connection: Connection, mode: str, users: Select[Any], *, since: Sequence[datetime]
) -> list[dict[int, int]]:
    """Count users by the number of marketing emails that they had of ticks after a moment; not those with none.

    Args:
        users: the keys of those who are counted.
        since: the moments. There is an answer for each.
    """
    mails = [
        func.sum(case((sends.c.as_of > moment, 1), else_=0)).label(f"mails_{number}")
        for number, moment in enumerate(since)
    ]
    each = _marketing(mode, min(since)).with_only_columns(sends.c.user_id, *mails).group_by(sends.c.user_id)
    had, them = each.subquery("had"), users.subquery("them")
    numbers = [column for column in had.c if column.name != "user_id"]
    # As a join: SQLite would look in the sends for each of an `IN`, of all users (2026-11-30).
    query = select(*numbers, func.count()).select_from(had.join(them, next(iter(them.c)) == had.c.user_id))
    found: list[Counter[int]] = [Counter() for _ in since]
    for *of_them, people in connection.execute(query.group_by(*numbers)):
        for counted, number in zip(found, of_them, strict=True):
            counted[int(number)] += people
    return [{number: people for number, people in counted.items() if number} for counted in found]


def mails_since(connection: Connection, mode: str, keys: Sequence[object], *, since: datetime) -> dict[object, int]:
    """Count the marketing emails that some users have had of ticks after a moment; who had none is left out."""
    found: dict[object, int] = {}
    query = _marketing(mode, since).add_columns(sends.c.user_id).group_by(sends.c.user_id)
    for start in range(0, len(keys), SOME):
        some = query.where(sends.c.user_id.in_(keys[start : start + SOME]))
        found.update({user_id: int(mails) for mails, user_id in connection.execute(some)})
    return found


def _marketing(mode: str, since: datetime) -> Select[Any]:
    # A tick's contacts are decided at it or later: they are found by an index, and the sends by theirs.
    return (
        select(func.count().label("mails"))
        .select_from(contacts.join(sends, _SAME))
        .prefix_with("/*+ INL_JOIN(skene_sends) */", dialect="mysql")
        .where(contacts.c.mode == mode, contacts.c.decided_at > since, sends.c.state.in_(MAILED), sends.c.as_of > since)
    )
