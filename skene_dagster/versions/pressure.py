"""How many marketing emails everybody has had in seven days, and how many with those of a first tick."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, func, select

from skene_dagster.delivery.ledger.looking_back import emails
from skene_dagster.settings import Settings
from skene_dagster.store.engine import users_table

A_WEEK = timedelta(days=7)


@dataclass(frozen=True)
class Pressure:
    """By the number of emails, how many of all users have had it."""

    before: Mapping[int, int]
    after: Mapping[int, int]


def pressure(
    connection: Connection, settings: Settings, mode: str, as_of: datetime, mailed: Mapping[object, int]
) -> Pressure:
    """Count all users by the emails that they had in the seven days before a moment.

    Args:
        mailed: how many more each user would get at once.
    """
    people = users_table(settings.users)
    everybody = connection.execute(select(func.count()).select_from(people)).scalar_one()
    keys_of_all = select(people.c[settings.users.key])
    (had_some,) = emails.people_by_mails(connection, mode, keys_of_all, since=[as_of - A_WEEK])
    before = Counter(had_some)
    before[0] = everybody - sum(before.values())
    after = Counter(before)
    keys: Sequence[object] = list(mailed)
    had = emails.mails_since(connection, mode, keys, since=as_of - A_WEEK)
    for key, more in mailed.items():
        after[had.get(key, 0)] -= 1
        after[had.get(key, 0) + more] += 1
    return Pressure(dict(before), {n: people for n, people in after.items() if people})
