"""Find which users use which TiDB features, and record that as events of the product's users.

An event says: this user used this feature in this half hour. Its id is made of these three, so that a use found twice,
or on two servers, is one event; nothing else is kept. The rollup computes the rest (who tried, adopted and lapsed from
a feature).
"""

import hashlib
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta

from sqlalchemy import Connection, Engine, select

from skene_dagster.behaviour.event import new_event
from skene_dagster.behaviour.events import Journal, last_named
from skene_dagster.behaviour.user_ids import UserId, UserIds
from skene_dagster.documents import Document
from skene_dagster.errors import SettingsError
from skene_dagster.loops.tidb_features import PREFIX, features_of
from skene_dagster.settings import TidbUsage, Users
from skene_dagster.store.engine import database_clock, is_sqlite, reading, users_table
from skene_dagster.store.keys import common_key
from skene_dagster.tracking import tidb_statements
from skene_dagster.tracking.tidb_statements import Offered

HALF_HOUR = timedelta(minutes=30)
OVERLAP = timedelta(hours=2)
"""How far before the last event statements are read again: a window grows over several collections."""
LONGEST = timedelta(days=7)
"""How far back to read at most; servers keep half a day unless configured otherwise."""
BATCH = 1000
"""Events per transaction."""
MOST_NAMES = 20
"""The most unknown database users that are reported."""


@dataclass(frozen=True)
class Collected:
    """What a collection found."""

    offer: Offered
    statements: int
    """Kinds of statements that were read, window by window."""
    people: Mapping[str, int]
    """By feature: how many users have used it since it was last looked at."""
    written: int
    """Uses that were found: a user, a feature, a half hour. Those known before change nothing."""
    unmapped: tuple[str, ...]
    """Database users that skene.yaml does not name."""
    unknown: int
    """Addresses in skene.yaml that belong to no user, or to several."""


def collect(engine: Engine, usage: TidbUsage, users: Users) -> Collected | str:
    """Write an event for each use of a TiDB feature that the server remembers; or say why it remembers none.

    Raises:
        SettingsError: the users table is not what skene.yaml says.
        StoreError: the database refused; collecting again does no harm.
    """
    offer = reading(engine, tidb_statements.offered)
    return offer if isinstance(offer, str) else _collect(engine, offer, usage, users)


def _collect(engine: Engine, offer: Offered, usage: TidbUsage, users: Users) -> Collected:
    journal = reading(engine, lambda connection: _journal(engine, connection, users))
    now = journal.now()
    looked = reading(engine, lambda connection: _look(connection, offer, usage, users, now))
    found = [
        journal.fit(new_event(user, PREFIX + feature, {"digest": digest}, at=at, event_id=_id(user, feature, at)), now)
        for (user, feature, _), (at, digest) in sorted(looked.uses.items(), key=lambda use: use[1])
    ]
    for start in range(0, len(found), BATCH):
        for refused in journal.store(found[start : start + BATCH]).values():
            raise refused
    by_feature: dict[str, set[UserId]] = defaultdict(set)
    for user, feature, _ in looked.uses:
        by_feature[feature].add(user)
    return Collected(
        offer,
        looked.statements,
        {feature: len(people) for feature, people in sorted(by_feature.items())},
        len(found),
        tuple(sorted(looked.unmapped)[:MOST_NAMES]),
        len(_addresses(usage) - looked.people.keys()),
    )


def check(connection: Connection, usage: TidbUsage, users: Users, settings_file: Document) -> list[SettingsError]:
    """List the addresses under `tidb_usage:` in skene.yaml that belong to no user, or to several.

    Raises:
        StoreError: the database cannot be asked.
    """
    people = _people(connection, usage, users)
    return [
        SettingsError(
            f"No user, or more than one, has the address {address!r}.",
            advice=f"Write one that is in {users.table}.{users.email}, once.",
            place=settings_file.place(("tidb_usage", part, name)),
        )
        for part, named in (("db_users", usage.db_users), ("resource_groups", usage.resource_groups))
        for name, address in named.items()
        if address not in people
    ]


class _Looked:
    """What was found while looking."""

    def __init__(self, usage: TidbUsage, people: Mapping[str, UserId]) -> None:
        self.statements = 0
        self.by_digest: dict[str, frozenset[str]] = {}
        self.uses: dict[tuple[UserId, str, datetime], tuple[datetime, str]] = {}
        self.unmapped: set[str] = set()
        self.people = people
        self._usage = usage

    def at_statement(self, seen: tidb_statements.Seen) -> None:
        self.statements += 1
        features = features_of(seen.statement)
        if features:
            self.by_digest[seen.digest] = self.by_digest.get(seen.digest, frozenset()) | features
        self._use(features, seen.digest, seen.db_user, seen.resource_group, seen.at)

    def at_run(self, digest: str, db_user: str, resource_group: str, at: datetime) -> None:
        self._use(self.by_digest[digest], digest, db_user, resource_group, at)

    def _use(self, features: frozenset[str], digest: str, db_user: str, resource_group: str, at: datetime) -> None:
        address = self._usage.resource_groups.get(resource_group) or self._usage.db_users.get(db_user)
        if address is None:
            self.unmapped.add(db_user)
            return
        user = self.people.get(address)
        if user is None:
            return
        for feature in features:
            key = user, feature, _half_hour(at)
            self.uses[key] = min(self.uses.get(key, (at, digest)), (at, digest))


def _journal(engine: Engine, connection: Connection, users: Users) -> Journal:
    key = common_key(connection, users)
    return Journal(engine, database_clock(engine), UserIds.of(key, sqlite=is_sqlite(connection)))


def _look(connection: Connection, offer: Offered, usage: TidbUsage, users: Users, now: datetime) -> _Looked:
    last = last_named(connection, PREFIX)
    since = now - LONGEST if last is None else max(last - OVERLAP, now - LONGEST)
    looked = _Looked(usage, _people(connection, usage, users))
    for seen in tidb_statements.summary(connection, offer, since):
        looked.at_statement(seen)
    if usage.slow_log and looked.by_digest:
        for run in tidb_statements.slow_runs(connection, offer, looked.by_digest, since, now):
            looked.at_run(*run)
    return looked


def _addresses(usage: TidbUsage) -> set[str]:
    return {*usage.db_users.values(), *usage.resource_groups.values()}


def _people(connection: Connection, usage: TidbUsage, users: Users) -> Mapping[str, UserId]:
    """Find the users with the addresses in skene.yaml; users who share an address are left out."""
    # If the column's collation ignores case, the result may be spelled differently.
    wanted = {address.lower(): address for address in _addresses(usage)}
    table = users_table(users, users.email)
    email = table.c[users.email]
    found: dict[str, list[UserId]] = defaultdict(list)
    for key, address in connection.execute(select(table.c[users.key], email).where(email.in_(sorted(wanted.values())))):
        found[wanted[address.lower()]].append(key)
    return {address: keys[0] for address, keys in found.items() if len(keys) == 1}


def _half_hour(at: datetime) -> datetime:
    return at - (at - datetime.combine(at, time.min)) % HALF_HOUR


def _id(user: UserId, feature: str, at: datetime) -> str:
    return hashlib.sha256(repr(("tidb", user, feature, _half_hour(at))).encode()).hexdigest()
