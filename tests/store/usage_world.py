"""A product whose users do things, and whose rollups a test runs for whichever moment it likes."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import prepared_tables
from sqlalchemy import Connection, Engine, Select, Table, event, inspect, select, text

from skene_dagster import settings as settings_module
from skene_dagster.behaviour.rollup.roll_up import NAME, RolledUp, roll_up
from skene_dagster.delivery.retention import Retained, retain
from skene_dagster.loops.planning.usage import UsagePlan, plan_usage
from skene_dagster.settings import (
    OWN_EVENTS,
    Events,
    Feature,
    Levels,
    Milestone,
    MomentColumn,
    Retention,
    Settings,
    Users,
)
from skene_dagster.store.engine import is_sqlite, transaction
from skene_dagster.store.leasing import leases
from skene_dagster.store.leasing.leases import ROLLUP, Lease
from skene_dagster.store.tables import (
    OPEN,
    engagement_levels,
    events_ahead,
    feature_adoption,
    milestones,
    user_activity,
    user_days,
)

START = datetime(2026, 3, 1)
DAY = timedelta(days=1)

ACTIONS = Events.model_validate({"table": "actions", "at": "done_at", "arrived": "written_at"})
"""The product's own table, which says when each row was written."""
WITHOUT_ARRIVED = Events.model_validate({"table": "actions", "at": "done_at", "late": "3d"})

_FEATURES: dict[str, dict[str, object]] = {
    "export": {"events": ["export"]},
    "share": {"events": ["share", "share_link"], "adopted_uses": 2, "adopted_days": 1, "lapsed_after": "5d"},
    "big": {"sql": "size >= 10 AND name <> 'idle'", "adopted_uses": 1, "adopted_days": 1},
}
FEATURES = {name: Feature.model_validate({"title": name, **said}) for name, said in _FEATURES.items()}
OWN_FEATURES = {
    **FEATURES,
    "big": FEATURES["big"].model_copy(update={"sql": "properties LIKE '%10%' AND name <> 'idle'"}),
}
"""The same features, over our own table."""
_MILESTONES: dict[str, dict[str, object]] = {
    "tenth_export": {"event": "export", "count": 10},
    "third_share": {"feature": "share", "count": 3},
    "streak": {"streak": 3},
    "month": {"anniversary": "30d"},
}
MILESTONES = {name: Milestone.model_validate({"title": name, **said}) for name, said in _MILESTONES.items()}


class Died(BaseException):
    """The process is gone; nothing of ours catches it."""


@contextmanager
def dying(engine: Engine, after: int) -> Iterator[None]:
    """Let the process die at one of its commits."""
    left = after

    def count(_connection: object) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            raise Died

    event.listen(engine, "commit", count)
    try:
        yield
    finally:
        event.remove(engine, "commit", count)
        # The connections of a process die with it.
        engine.dispose()


def at(day: float, hour: float = 12) -> datetime:
    """A moment: so many days after the start, at an hour."""
    return START + day * DAY + timedelta(hours=hour)


def on(day: int) -> date:
    """A day: so many after the start."""
    return (START + day * DAY).date()


@dataclass
class World:
    """The product's database, what its users do, and the rollups."""

    engine: Engine
    key_type: str = "BIGINT"
    named_type: str = ""
    """The type of the column by which the actions name their users; that of the key, if empty."""
    events: Events = ACTIONS
    features: Mapping[str, Feature] = field(default_factory=lambda: dict(FEATURES))
    milestones: Mapping[str, Milestone] = field(default_factory=lambda: dict(MILESTONES))
    levels: Levels = field(default_factory=Levels)
    now: datetime = START
    """Real time, which a test turns."""
    users: Users = field(default_factory=lambda: Users(created_at=MomentColumn(column="created_at")))
    _last_id: int = 0

    def __post_init__(self) -> None:
        self.sql(f"CREATE TABLE users (id {self.key_type} NOT NULL PRIMARY KEY, created_at DATETIME)")
        named_type = self.named_type or self.key_type
        moment = "DATETIME" if is_sqlite(self.engine) else "DATETIME(6)"
        self.sql(
            f"CREATE TABLE actions (id BIGINT NOT NULL PRIMARY KEY, user_id {named_type} NULL, name VARCHAR(200), "
            f"done_at {moment} NULL, written_at {moment} NOT NULL, size BIGINT)"
        )
        self.sql("CREATE INDEX actions_user ON actions (user_id, done_at)")
        self.sql("CREATE INDEX actions_written ON actions (written_at)")
        prepared_tables.make(self.engine, self.users)

    @property
    def settings(self) -> Settings:
        """What skene.yaml says."""
        nothing = settings_module.load(Path("/nowhere"), {})
        return replace(
            nothing,
            users=self.users,
            events=self.events,
            features=self.features,
            milestones=self.milestones,
            levels=self.levels,
        )

    @property
    def plan(self) -> UsagePlan:
        """What a rollup computes."""
        return plan_usage(self.settings)

    def sql(self, statement: str, *rows: dict[str, object]) -> None:
        """Execute a statement of the product's own."""
        with self.engine.begin() as connection:
            connection.execute(text(statement), rows or None)

    def add(self, *keys: object, created_at: datetime | None = START) -> None:
        """Add users."""
        rows = [{"id": key, "at": None if created_at is None else f"{created_at:%Y-%m-%d %H:%M:%S}"} for key in keys]
        self.sql("INSERT INTO users (id, created_at) VALUES (:id, :at)", *rows)

    def did(
        self,
        user: object,
        *moments: datetime,
        name: str | None = "visit",
        written: datetime | None = None,
        size: int = 0,
    ) -> None:
        """Write what a user did, at these moments; in real time, unless it was written at another."""
        rows = []
        for moment in moments:
            self._last_id += 1
            shown = moment.isoformat(" ", "microseconds")
            by_then = (written or self.now).isoformat(" ", "microseconds")
            rows.append({"id": self._last_id, "user": user, "name": name, "at": shown, "by": by_then, "size": size})
        if self.events == OWN_EVENTS:
            into = "skene_events (event_id, user_id, name, occurred_at, received_at, properties)"
        else:
            into = "actions (id, user_id, name, done_at, written_at, size)"
        self.sql(f"INSERT INTO {into} VALUES (:id, :user, :name, :at, :by, :size)", *rows)

    def clock(self) -> datetime:
        """Real time."""
        return self.now

    def roll(self, as_of: datetime, **options: Any) -> RolledUp:
        """Roll up; in real time it is as_of, unless that is later already."""
        self.now = max(self.now, as_of)
        arguments: dict[str, Any] = {
            "plan": self.plan,
            "users": self.users,
            "clock": self.clock,
            "run_id": "a run",
            "chunk": 3,
        } | options
        return roll_up(arguments.pop("engine", self.engine), as_of=as_of, **arguments)

    def retain(self, **kept: str) -> Retained:
        """Delete what is older than this, three rows to a transaction."""
        retention = Retention.model_validate(kept)
        return retain(
            self.engine, retention=retention, usage=self.plan, plans=(), are_all=False, clock=self.clock, chunk=3
        )

    def take_lease(self, owner: str, as_of: datetime) -> Lease:
        """Take the lease to roll up, as a run does that then says nothing more."""

        def take(connection: Connection) -> Lease:
            if leases.state(connection, NAME, ROLLUP) is None:
                leases.introduce(connection, NAME, ROLLUP)
            taken = leases.take(
                connection, NAME, owner=owner, as_of=as_of, now=self.now, lasts=leases.LEASE, kind=ROLLUP
            )
            assert taken is not None
            return taken

        return transaction(self.engine, take)

    def ask(self, query: Select[Any]) -> list[Any]:
        """List the first column, in order."""
        with self.engine.connect() as connection:
            return sorted(connection.execute(query).scalars())

    def rows(self, table: Table, *names: str) -> list[tuple[Any, ...]]:
        """List the rows of a table, in the order of the columns; all of these where none are named."""
        columns = [table.c[name] for name in names] or list(table.c)
        with self.engine.connect() as connection:
            return [tuple(row) for row in connection.execute(select(*columns).order_by(*columns))]

    def days(self) -> list[tuple[Any, ...]]:
        """What was done on each day: user, day, event, uses, first, last."""
        return self.rows(user_days)

    def activity(self) -> dict[Any, tuple[Any, ...]]:
        """By user: first_at, last_at, days, uses, active_since, returned_at, power_since, power_until."""
        return {row[0]: row[1:] for row in self.rows(user_activity)}

    def adoption(self) -> dict[tuple[Any, str], tuple[Any, ...]]:
        """By user and feature: first_at, last_at, uses, days, state, state_since."""
        return {row[:2]: row[2:] for row in self.rows(feature_adoption)}

    def level(self) -> dict[Any, tuple[str, datetime]]:
        """By user: the level, and since when."""
        rows = self.rows(engagement_levels, "user_id", "level", "entered_at", "left_at")
        return {user: (level, entered) for user, level, entered, left in rows if left == OPEN}

    def history(self, user: object) -> list[tuple[str, datetime, datetime | None]]:
        """The levels of a user, the first first: level, entered, left."""
        rows = self.rows(engagement_levels, "entered_at", "left_at", "level", "user_id")
        return [(level, entered, None if left == OPEN else left) for entered, left, level, key in rows if key == user]

    def reached(self) -> dict[tuple[str, Any], date]:
        """By milestone and user: the day."""
        return {(name, user): day for name, user, day in self.rows(milestones, "milestone", "user_id", "reached_on")}

    def all_of_it(self) -> dict[str, object]:
        """Everything that follows from events and time."""
        return {
            "days": self.days(),
            "activity": self.activity(),
            "adoption": self.adoption(),
            "level": self.level(),
            "reached": self.reached(),
        }

    def ahead(self) -> list[tuple[Any, ...]]:
        """The days that the last rollup was too early for."""
        return self.rows(events_ahead)

    def staging_tables(self) -> list[str]:
        """The names of the staging tables that are there."""
        return [name for name in inspect(self.engine).get_table_names() if name.startswith("skene_staging_")]


def own_events(engine: Engine, **options: Any) -> World:
    """A world whose product tracks its events into our table."""
    return World(engine, **{"events": OWN_EVENTS, "features": dict(OWN_FEATURES), **options})
