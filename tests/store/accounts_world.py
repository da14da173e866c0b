"""A small product of workspaces: their key is a text, that of their users a number; and one loop about workspaces."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import neighbours
import prepared_tables
from delivery_world import MJML, OUTBOX, START, TEXT, World, planned
from neighbours import own
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Engine,
    MetaData,
    String,
    Table,
    delete,
    insert,
    literal,
    select,
    update,
)

from skene_dagster import settings as settings_module
from skene_dagster.behaviour.rollup.roll_up import roll_up
from skene_dagster.delivery.modes import Mode
from skene_dagster.delivery.send.deliver import Delivered
from skene_dagster.loops.planning.usage import plan_usage
from skene_dagster.segments.triggers import finding
from skene_dagster.store import environment
from skene_dagster.store.tables import (
    OPEN,
    account_arms,
    account_decisions,
    account_deferred,
    account_members,
    account_people,
    events,
    sends,
)

SETTINGS = """\
users: {name: name, created_at: created_at, mailable: "verified = 1"}
accounts: {table: workspaces, user_column: workspace, owner: owner_id, plan: plan}
sender:
  from: Little Product <hello@example.com>
  postal_address: 1 Example Street, Example Town
  unsubscribe_url: https://example.com/unsubscribe/{{user.id}}
"""

LOOP = """\
type: retention
per: account
recipient: owner
steps:
  - trigger: {type: schedule, cron: "0 9 * * *"}
    condition: {type: query, query: SELECT id FROM workspaces WHERE dormant = true}
    action:
      type: email
      template: hello
      personalization: {name: "{{user.name}} of {{account.title}}"}
"""

_metadata = MetaData()
users = Table(
    "users",
    _metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("email", String(255)),
    Column("name", String(100)),
    Column("workspace", String(36)),
    Column("verified", Boolean, nullable=False),
    Column("created_at", DateTime),
    mysql_collate="utf8mb4_bin",
)
workspaces = Table(
    "workspaces",
    _metadata,
    Column("id", String(36), primary_key=True),
    Column("title", String(100)),
    Column("owner_id", BigInteger),
    Column("dormant", Boolean, nullable=False),
    Column("reminded", Boolean, nullable=False),
    Column("updated_at", DateTime),
    Column("plan", String(20)),
    mysql_collate="utf8mb4_bin",
)

orders = Table(
    "orders",
    _metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("user_id", BigInteger),
    Column("workspace", String(36)),
    Column("amount", BigInteger, nullable=False),
    Column("created_at", DateTime, nullable=False),
    mysql_collate="utf8mb4_bin",
)


@dataclass
class AccountsWorld(World):
    def rewrite(self, *pairs: tuple[str, str], settings: str = "") -> None:
        """Write the loop, and more of skene.yaml, with other words."""
        self.use(LOOP, *pairs, settings=settings)

    def replan(self, *pairs: tuple[str, str]) -> None:
        """Write the loop with other words; skene.yaml stays."""
        loop = LOOP
        for old, new in pairs:
            assert old in loop
            loop = loop.replace(old, new)
        self.plan = planned(self.root, self.settings, loop)

    def use(self, loop: str, *pairs: tuple[str, str], settings: str = "") -> None:
        """Write another loop, with other words."""
        for old, new in pairs:
            assert old in loop
            loop = loop.replace(old, new)
        (self.root / "skene.yaml").write_text(SETTINGS + settings, encoding="utf-8")
        self.settings = settings_module.load(self.root, {})
        self.plan = planned(self.root, self.settings, loop)

    def map_settings(self, *pairs: tuple[str, str]) -> None:
        """Write skene.yaml with other words; the loop stays."""
        path = self.root / "skene.yaml"
        text = path.read_text(encoding="utf-8")
        for old, new in pairs:
            assert old in text
            text = text.replace(old, new)
        path.write_text(text, encoding="utf-8")
        self.settings = settings_module.load(self.root, {})

    def refresh(self, mode: Mode = OUTBOX) -> None:
        if not self.step.by_row:
            super().refresh()
            return
        finding.refresh(
            self.engine,
            plan=self.plan,
            step=self.step,
            settings=self.settings,
            mode=mode.name,
            as_of=self.now,
            clock=self.clock,
            run_id="run",
        )

    def tick(self, mode: Mode = OUTBOX) -> Delivered:
        """Do all that a tick does: each step of the loop, one after the other."""
        for number in range(len(self.plan.steps)):
            self.step_number = number
            self.refresh(mode)
            self.reserve(mode)
            delivered = self.deliver(mode)
        return delivered

    def workspace(self, key: str, people: Sequence[int], *, owner: int | None = None, dormant: bool = True) -> None:
        """Add a workspace with its users; the first of them owns it."""
        owner = people[0] if owner is None and people else owner
        row = {"id": key, "title": f"Workspace {key}", "owner_id": owner, "dormant": dormant, "reminded": False}
        with self.engine.begin() as connection:
            connection.execute(insert(workspaces), [row])
            if people:
                connection.execute(insert(users), [user(n, key) for n in people])

    def change_workspace(self, key: str, **columns: object) -> None:
        with self.engine.begin() as connection:
            connection.execute(update(workspaces).where(workspaces.c.id == key).values(**columns))

    def workspaces(self, column: str) -> dict[str, object]:
        """What a column of each workspace holds."""
        query = select(workspaces.c.id, workspaces.c[column]).order_by(workspaces.c.id)
        with self.engine.connect() as connection:
            return dict(connection.execute(query).all())

    def delete_workspace(self, key: str) -> None:
        with self.engine.begin() as connection:
            connection.execute(delete(workspaces).where(workspaces.c.id == key))

    def delete_user(self, key: int) -> None:
        with self.engine.begin() as connection:
            connection.execute(delete(users).where(users.c.id == key))

    def delete_order(self, number: int) -> None:
        with self.engine.begin() as connection:
            connection.execute(delete(orders).where(orders.c.id == number))

    def change(self, *ids: int, **columns: object) -> None:
        with self.engine.begin() as connection:
            connection.execute(update(users).where(users.c.id.in_(ids)).values(**columns))

    def were_active(self, *ids: int, at: datetime = START) -> None:
        """Count that users did something, the first of them last."""
        rows = [
            {
                "event_id": f"{at:%Y%m%d%H%M}{n}",
                "user_id": user_id,
                "name": "Opened",
                "occurred_at": at.replace(hour=8, minute=50 - n),
                "received_at": at,
            }
            for n, user_id in enumerate(ids)
        ]
        with self.engine.begin() as connection:
            if rows:
                connection.execute(insert(events), rows)
        self.count()

    def count(self) -> None:
        """Count what users did."""
        usage = plan_usage(self.settings)
        roll_up(self.engine, plan=usage, users=self.settings.users, as_of=self.now, clock=self.clock, run_id="rolls up")

    def decided(self, step: str | None = None) -> dict[str, list[str]]:
        """What is known of workspaces' decisions, one for an occurrence, and of what waits: of all steps, or one."""
        made = select(account_decisions.c.account_id, account_decisions.c.state, account_decisions.c.reason)
        made = made.where(own(account_decisions)).order_by(account_decisions.c.occurrence)
        waiting = select(account_deferred.c.account_id, literal("deferred"), account_deferred.c.reason)
        if step is not None:
            made, waiting = made.where(account_decisions.c.step == step), waiting.where(account_deferred.c.step == step)
        found: dict[str, list[str]] = {}
        with self.engine.connect() as connection:
            for key, state, reason in [
                *connection.execute(made),
                *connection.execute(waiting.where(own(account_deferred))),
            ]:
                found.setdefault(key, []).append(f"{state}:{reason}" if reason else state)
        return found

    def drawn(self) -> dict[str, str]:
        """The workspaces that are compared, and in which arm."""
        query = select(account_arms.c.account_id, account_arms.c.arm).where(own(account_arms))
        with self.engine.connect() as connection:
            return {row.account_id: row.arm for row in connection.execute(query)}

    def with_which(self) -> dict[int, str]:
        """The users who are compared, and with which workspace."""
        query = select(account_people.c.user_id, account_people.c.account_id).where(own(account_people))
        with self.engine.connect() as connection:
            return {row.user_id: row.account_id for row in connection.execute(query)}

    def inside(self) -> list[str]:
        """The workspaces that are in the segment of the step."""
        member = account_members.c
        which = (own(account_members), member.segment == f"retention.{self.step.name}", member.exited_at == OPEN)
        with self.engine.connect() as connection:
            return list(connection.execute(select(member.account_id).where(*which)).scalars())

    def sent_about(self) -> list[tuple[int, str]]:
        """The users who have a send, and its state, in their order."""
        query = select(sends.c.user_id, sends.c.state).where(own(sends)).order_by(sends.c.user_id, sends.c.occurrence)
        with self.engine.connect() as connection:
            return [tuple(row) for row in connection.execute(query)]


def user(number: int, workspace: str | None) -> dict[str, object]:
    address = f"u{number}@example.com"
    return {"id": number, "email": address, "name": f"User {number}", "workspace": workspace, "verified": True}


def make_accounts(engine: Engine, root: Path) -> AccountsWorld:
    for folder in ("loops", "templates"):
        (root / folder).mkdir()
    (root / "skene.yaml").write_text(SETTINGS, encoding="utf-8")
    (root / "templates" / "hello.mjml").write_text(MJML, encoding="utf-8")
    (root / "templates" / "hello.txt").write_text(TEXT, encoding="utf-8")
    settings = settings_module.load(root, {})
    _metadata.create_all(engine)
    prepared_tables.make(engine, settings.users, settings.accounts)
    environment.belong(engine, settings.environment)
    neighbours.settle(engine, (1, 2, 3), ("w1", "w2", "w3"))
    world = AccountsWorld(engine, root, settings, planned(root, settings, LOOP))
    world.provider.clock = world.clock
    return world
