"""A product with users of any kind of key, and one loop whose condition a test may write as it likes."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import neighbours
import prepared_tables
from neighbours import own
from sqlalchemy import Connection, Engine, inspect, select, text

from skene_dagster.documents import Document
from skene_dagster.loops.plan import Email, LoopPlan, Query, StepPlan
from skene_dagster.loops.times.retry_delays import RecoveryPlan
from skene_dagster.loops.triggers import Schedule
from skene_dagster.segments import clearance
from skene_dagster.segments.clearance import Clearance
from skene_dagster.segments.members import expect_exits
from skene_dagster.segments.refresh import Refreshed, refresh
from skene_dagster.settings import Limits, Users, load
from skene_dagster.store.engine import is_sqlite, transaction
from skene_dagster.store.leasing import leases
from skene_dagster.store.leasing.leases import Lease
from skene_dagster.store.tables import OPEN, segment_members

SEGMENT = "retention.main"
FIRST = datetime(2026, 3, 1, 9)
DAY = timedelta(days=1)

FROM_USERS = "SELECT id FROM users WHERE dormant = 1"
FROM_ELSEWHERE = "SELECT user_id FROM answers"


def tick(number: int) -> datetime:
    """The as_of of a day."""
    return FIRST + number * DAY


def loop(
    sql: str = FROM_USERS,
    *,
    key: str = "id",
    tables: tuple[str, ...] = ("users",),
    row_columns: tuple[str, ...] = (),
    timezone: str = "UTC",
    name: str = "retention",
    sqlite: str | None = "",
    needs_tidb: str = "",
    by_key: bool = True,
    plain: bool | None = None,
    reads: tuple[str, ...] = ("dormant",),
    sets: tuple[str, ...] = ("dormant",),
) -> LoopPlan:
    """A retention loop of one step with this condition, which is plain if it is the usual one."""
    binds = tuple(name for name in ("as_of", "as_of_date") if f":{name}" in sql)
    query = Query(
        sql,
        sql,
        sql if sqlite == "" else sqlite,
        needs_tidb,
        tables,
        reads,
        (key, *row_columns),
        key,
        own_key=key == "id",
        by_row=False,
        by_key=by_key,
        plain=sql == FROM_USERS if plain is None else plain,
        binds=binds,
    )
    values = tuple((column, False) for column in sets)
    email = Email("resend", "hello", (), (), row_columns, timedelta(days=30), values, topic="product")
    step = StepPlan("main", None, Schedule("0 9 * * *", timezone), query, timedelta(minutes=10), email)
    recovery = RecoveryPlan(3, "exponential", timedelta(seconds=30))
    document = Document("loops/retention.yaml", {}, {("steps", 0, "condition", "query"): 7})
    return LoopPlan(name, "retention", "", (step,), (), 0.0, 0, "everyone", recovery, "skip", document)


ELSEWHERE = loop(FROM_ELSEWHERE, key="user_id", tables=("answers",))
"""A loop whose users come from another table, which may name anybody, or nobody."""


@dataclass
class World:
    """The product's database, and the loop's ticks."""

    engine: Engine
    key_type: str = "BIGINT"
    limits: Limits = field(default_factory=Limits)
    now: datetime = FIRST
    users: Users = field(default_factory=Users)
    has_neighbours: bool = False

    def __post_init__(self) -> None:
        # SQLite lets a primary key be NULL.
        self.do(
            f"CREATE TABLE users (id {self.key_type} NOT NULL PRIMARY KEY, dormant INTEGER NOT NULL, plan VARCHAR(20))"
        )
        self.do(f"CREATE TABLE answers (user_id {self.key_type} NULL, plan VARCHAR(20))")
        prepared_tables.make(self.engine, self.users)

    @classmethod
    def existing(cls, engine: Engine) -> "World":
        """The same world, in another process."""
        world = object.__new__(cls)
        world.engine, world.users, world.limits, world.now = engine, Users(), Limits(), FIRST
        world.has_neighbours = True
        return world

    def do(self, sql: str, *rows: dict[str, object]) -> None:
        """Execute a statement of the product's own."""
        with self.engine.begin() as connection:
            connection.execute(text(sql), rows or None)

    def add(self, *keys: object, dormant: bool = True) -> None:
        """Add users."""
        self.do(
            "INSERT INTO users (id, dormant) VALUES (:id, :dormant)",
            *({"id": k, "dormant": int(dormant)} for k in keys),
        )
        if not self.has_neighbours:
            neighbours.settle(self.engine, [key for key in keys if key is not None])
            self.has_neighbours = True

    def announce(self, *keys: object, segment: str = SEGMENT) -> None:
        """Note, a minute later, that our own `set` was written for these users."""
        self.now += timedelta(minutes=1)
        transaction(self.engine, lambda connection: expect_exits(connection, segment, keys, self.now))

    def answer(self, *keys: object) -> None:
        """Make these the rows of the other table."""
        self.do("DELETE FROM answers")
        if keys:
            self.do("INSERT INTO answers (user_id) VALUES (:id)", *({"id": k} for k in keys))

    def wake(self, *keys: object) -> None:
        """Make users active."""
        self.do("UPDATE users SET dormant = 0 WHERE id = :id", *({"id": k} for k in keys))

    def only(self, keys: Iterable[object]) -> None:
        """Make exactly these users dormant."""
        self.do("UPDATE users SET dormant = 0")
        rows = [{"id": key} for key in keys]
        if rows:
            self.do("UPDATE users SET dormant = 1 WHERE id = :id", *rows)

    def clock(self) -> datetime:
        """Real time, which stands still."""
        return self.now

    def refresh(self, day: int, plan: LoopPlan | None = None, **options: Any) -> Refreshed:
        """Refresh the segment for the tick of a day."""
        plan = plan or loop()
        arguments: dict[str, Any] = {
            "settings": replace(load(Path(), {}), users=self.users, limits=self.limits),
            "clock": self.clock,
            "run_id": f"run-{day}",
            "chunk": 3,
        } | options
        engine = arguments.pop("engine", self.engine)
        return refresh(engine, plan=plan, step=plan.steps[0], as_of=tick(day), **arguments)

    def take_lease(self, owner: str, *, day: int, lease: timedelta) -> Lease:
        """Take the lease to refresh, as a run does that then says nothing more."""

        def take(connection: Connection) -> Lease:
            if leases.state(connection, SEGMENT) is None:
                leases.introduce(connection, SEGMENT)
            taken = leases.take(connection, SEGMENT, owner=owner, as_of=tick(day), now=self.now, lasts=lease)
            assert taken is not None
            return taken

        return transaction(self.engine, take)

    def clearance(self) -> Clearance | None:
        """The clearance to mail the segment's members."""
        with self.engine.connect() as connection:
            return clearance.of(connection, SEGMENT)

    def history(self, plan: LoopPlan | None = None) -> list[tuple[Any, int, int | None, str | None]]:
        """All of the segment's history, by key and entry: key, day of entry, day of exit, reason."""
        columns = segment_members.c
        with self.engine.connect() as connection:
            rows = connection.execute(
                select(columns.user_id, columns.entered_at, columns.exited_at, columns.exit_reason)
                .where(columns.segment == (f"{plan.name}.main" if plan else SEGMENT))
                .order_by(columns.user_id, columns.entered_at)
            ).all()
        return [
            (user_id, (entered - FIRST).days, None if exited == OPEN else (exited - FIRST).days, reason)
            for user_id, entered, exited, reason in rows
        ]

    def inside(self) -> list[Any]:
        """The keys of those inside."""
        return [user_id for user_id, _, exited, _ in self.history() if exited is None]

    def attributes(self) -> dict[Any, str | None]:
        """What is kept with each who is inside."""
        columns = segment_members.c
        query = select(columns.user_id, columns.attributes).where(own(segment_members), columns.exited_at == OPEN)
        with self.engine.connect() as connection:
            return dict(connection.execute(query).all())

    def kept(self, **columns: object) -> str:
        """How this database writes the columns that are kept."""
        shown = json.dumps(columns, ensure_ascii=False)
        return shown if not self.is_sqlite else json.dumps(columns, ensure_ascii=False, separators=(",", ":"))

    def tables(self) -> list[str]:
        """The names of the staging tables that are there."""
        names = inspect(self.engine).get_table_names()
        return [name for name in names if name.startswith("skene_staging_")]

    @property
    def is_sqlite(self) -> bool:
        return is_sqlite(self.engine)
