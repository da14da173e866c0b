"""A small product of workspaces: their key is a text, that of their users a number; and one loop about workspaces."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import neighbours
import prepared_tables
from delivery_world import MJML, START, TEXT, World, planned
from neighbours import own
from sqlalchemy import BigInteger, Boolean, Column, Engine, MetaData, String, Table, insert, literal, select, update

from skene_dagster import settings as settings_module
from skene_dagster.behaviour.rollup.roll_up import roll_up
from skene_dagster.loops.planning.usage import plan_usage
from skene_dagster.store import environment
from skene_dagster.store.tables import account_decisions, account_deferred, events, sends

SETTINGS = """\
users: {name: name, mailable: "verified = 1"}
accounts: {table: workspaces, user_column: workspace, owner: owner_id}
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
    mysql_collate="utf8mb4_bin",
)
workspaces = Table(
    "workspaces",
    _metadata,
    Column("id", String(36), primary_key=True),
    Column("title", String(100)),
    Column("owner_id", BigInteger),
    Column("dormant", Boolean, nullable=False),
    mysql_collate="utf8mb4_bin",
)


@dataclass
class AccountsWorld(World):
    def rewrite(self, *pairs: tuple[str, str], settings: str = "") -> None:
        """Write the loop, and more of skene.yaml, with other words."""
        loop = LOOP
        for old, new in pairs:
            assert old in loop
            loop = loop.replace(old, new)
        (self.root / "skene.yaml").write_text(SETTINGS + settings, encoding="utf-8")
        self.settings = settings_module.load(self.root, {})
        self.plan = planned(self.root, self.settings, loop)

    def workspace(self, key: str, people: Sequence[int], *, owner: int | None = None, dormant: bool = True) -> None:
        """Add a workspace with its users; the first of them owns it."""
        owner = people[0] if owner is None and people else owner
        row = {"id": key, "title": f"Workspace {key}", "owner_id": owner, "dormant": dormant}
        with self.engine.begin() as connection:
            connection.execute(insert(workspaces), [row])
            if people:
                connection.execute(insert(users), [user(n, key) for n in people])

    def change_workspace(self, key: str, **columns: object) -> None:
        with self.engine.begin() as connection:
            connection.execute(update(workspaces).where(workspaces.c.id == key).values(**columns))

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
        usage = plan_usage(self.settings)
        roll_up(self.engine, plan=usage, users=self.settings.users, as_of=self.now, clock=self.clock, run_id="rolls up")

    def decided(self) -> dict[str, list[str]]:
        """What is known of each workspace's decisions, one for an occurrence, and of what waits."""
        made = select(account_decisions.c.account_id, account_decisions.c.state, account_decisions.c.reason)
        made = made.where(own(account_decisions)).order_by(account_decisions.c.occurrence)
        waiting = select(account_deferred.c.account_id, literal("deferred"), account_deferred.c.reason)
        found: dict[str, list[str]] = {}
        with self.engine.connect() as connection:
            for key, state, reason in [
                *connection.execute(made),
                *connection.execute(waiting.where(own(account_deferred))),
            ]:
                found.setdefault(key, []).append(f"{state}:{reason}" if reason else state)
        return found

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
