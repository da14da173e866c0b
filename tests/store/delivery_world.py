"""A small product to send from: its users, one loop, a clock that a test turns, and a provider that it scripts."""

import random
import string
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import ClassVar

import neighbours
import prepared_tables
import pytest
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
    func,
    insert,
    literal,
    select,
    update,
)

from skene_dagster import settings as settings_module
from skene_dagster.delivery.decide.reserve import Reserved, reserve
from skene_dagster.delivery.decide.send_audience import PAGE
from skene_dagster.delivery.email.message import Frozen, Message
from skene_dagster.delivery.email.templates import Templates
from skene_dagster.delivery.modes import Mode
from skene_dagster.delivery.providers import json_emails
from skene_dagster.delivery.providers.base import (
    Accepted,
    Answer,
    Denied,
    Finding,
    Provider,
    RateLimit,
    Sent,
    SlotWait,
    Terms,
    Unknown,
    Unprovable,
    at_once,
)
from skene_dagster.delivery.providers.json_emails import messages_of
from skene_dagster.delivery.send.deliver import Delivered, deliver
from skene_dagster.delivery.send.session import DeliverySession
from skene_dagster.errors import ProviderUnavailable
from skene_dagster.loops.files.loaders import load_file
from skene_dagster.loops.plan import LoopPlan, StepPlan
from skene_dagster.loops.planning.loop import plan_loop
from skene_dagster.segments.refresh import refresh
from skene_dagster.settings import Settings
from skene_dagster.store import environment
from skene_dagster.store.tables import batches, deferred, sends

SKEW = timedelta(minutes=2)
START = datetime(2026, 3, 2, 9)
OUTBOX = Mode("outbox", "a test")
LIVE = Mode("live", "a test")

SETTINGS = """\
users: {name: name, mailable: "verified = 1"}
sender:
  from: Little Product <hello@example.com>
  postal_address: 1 Example Street, Example Town
  unsubscribe_url: https://example.com/unsubscribe/{{user.id}}
"""

LOOP = """\
type: retention
steps:
  - trigger: {type: schedule, cron: "0 9 * * *"}
    condition: {type: query, query: SELECT id FROM users WHERE dormant = true}
    action:
      type: email
      template: hello
      personalization: {name: "{{user.name}}"}
      set: {reminded: true}
"""

MJML = """\
<mjml>
  <mj-head><mj-title>Hello {{ name }}</mj-title><mj-preview>Come back</mj-preview></mj-head>
  <mj-body><mj-section><mj-column>
    <mj-text>Hello {{ name }}. <a href="{{ unsubscribe_url }}">Unsubscribe</a> {{ postal_address }}</mj-text>
  </mj-column></mj-section></mj-body>
</mjml>
"""

TEXT = "Hello {{ name }}. {{ unsubscribe_url }} {{ postal_address }}\n"

users = Table(
    "users",
    MetaData(),
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("email", String(255)),
    Column("name", String(100)),
    Column("dormant", Boolean, nullable=False),
    Column("verified", Boolean, nullable=False),
    Column("reminded", Boolean, nullable=False),
    Column("last_activity_at", DateTime),
    mysql_collate="utf8mb4_bin",
)


@dataclass
class Script:
    """A provider that remembers keys as the real one does, and answers what a test tells it to."""

    name: ClassVar[str] = "the provider"
    terms: ClassVar[Terms] = Terms(
        batch_limit=100,
        key_lives=timedelta(hours=23),
        proves_after=timedelta(minutes=10),
        starts_at=2.0,
        key_is_kept=timedelta(hours=24),
    )
    answers: list["Scripted"] = field(default_factory=list)
    """What to do at the next calls; afterwards everything is accepted."""
    accepted: dict[str, tuple[Message, ...]] = field(default_factory=dict)
    tried: list[tuple[str, tuple[Message, ...]]] = field(default_factory=list)

    found: Finding = field(default_factory=lambda: Unprovable("nobody asked"))
    """What its records say."""
    asked: list[tuple[datetime, datetime, datetime]] = field(default_factory=list)
    """When they were asked, and about which time."""
    account: str | None = None
    rate_limit: RateLimit | None = None
    clock: Callable[[], datetime] = lambda: START
    records: list[Sent] = field(default_factory=list)
    """What it accepted, the oldest first."""
    denied: str = ""
    """Why its records end before they reach back to where one asks."""

    def freeze(self, messages: Sequence[Message]) -> Frozen:
        return json_emails.freeze(messages)

    def close(self) -> None:
        pass

    def send_batch(self, batch: Frozen, key: str) -> Answer:
        messages = messages_of(batch)
        self.tried.append((key, messages))
        return self.answers.pop(0)(self, messages, key) if self.answers else self.accept(messages, key)

    def find(self, batch: Frozen, since: datetime, until: datetime, wait_for_slot: SlotWait = at_once) -> Finding:
        del batch
        assert since <= until
        self.asked.append((self.clock(), since, until))
        wait_for_slot(0.0)
        return self.found

    def sent(self, since: datetime | None, wait_for_slot: SlotWait = at_once, most: int = 20_000) -> Iterator[Sent]:
        wait_for_slot(0.0)
        # Its clock and the ledger's may differ.
        yield from [one for one in reversed(self.records) if since is None or one.at >= since - SKEW][:most]
        if self.denied:
            raise Denied(self.denied)

    def accept(self, messages: Sequence[Message], key: str) -> Accepted:
        if key not in self.accepted:
            for tags in (dict(message.tags) for message in messages):
                self.records.append(Sent(f"id-{tags['send']}", self.clock(), tags["send"], tags.get("origin", "")))
        known = self.accepted.setdefault(key, tuple(messages))
        assert known == tuple(messages), "another payload under a key that was used"
        return Accepted(tuple(f"id-{message.send_id}" for message in messages))

    @property
    def mailed(self) -> list[str]:
        return sorted(message.to for messages in self.accepted.values() for message in messages)


Scripted = Callable[[Script, Sequence[Message], str], Answer]


def never_arrive(_provider: Script, _messages: Sequence[Message], _key: str) -> Answer:
    return Unknown("no route to host")


def lose_the_answer(provider: Script, messages: Sequence[Message], key: str) -> Answer:
    provider.accept(messages, key)
    return Unknown("the connection was cut")


@dataclass
class World:
    engine: Engine
    root: Path
    settings: Settings
    plan: LoopPlan
    provider: Script = field(default_factory=Script)
    now: datetime = START
    paused: list[float] = field(default_factory=list)
    step_number: int = 0
    """Which step of the loop is refreshed, reserved and delivered."""
    others: Sequence[LoopPlan] = ()
    """The loops of the project."""

    @property
    def step(self) -> StepPlan:
        return self.plan.steps[self.step_number]

    def clock(self) -> datetime:
        return self.now

    def open_provider(self, _name: str) -> Provider:
        return self.provider

    def pause(self, seconds: float) -> None:
        self.paused.append(seconds)
        self.now += timedelta(seconds=seconds)

    def monotonic(self) -> float:
        return (self.now - START).total_seconds()

    def rewrite_loop(self, old: str, new: str) -> None:
        assert old in LOOP
        self.plan = planned(self.root, self.settings, LOOP.replace(old, new))

    def refresh(self) -> None:
        refresh(
            self.engine,
            plan=self.plan,
            step=self.step,
            settings=self.settings,
            as_of=self.now,
            clock=self.clock,
            run_id="run",
        )

    def reserve(
        self,
        mode: Mode = OUTBOX,
        as_of: datetime | None = None,
        progress: Callable[[int], None] = lambda _: None,
        page: int = PAGE,
    ) -> Reserved:
        return reserve(
            self.engine,
            plan=self.plan,
            step=self.step,
            settings=self.settings,
            mode=mode,
            as_of=as_of or self.now,
            clock=self.clock,
            others=self.others,
            progress=progress,
            page=page,
        )

    def deliver(
        self,
        mode: Mode = OUTBOX,
        owner: str = "one",
        provider: Provider | None = None,
        engine: Engine | None = None,
    ) -> Delivered:
        session = self.session(mode, owner, provider, engine)
        return deliver(session, plan=self.plan, step=self.step, templates=Templates(self.settings.templates, self.root))

    def session(
        self,
        mode: Mode = OUTBOX,
        owner: str = "one",
        provider: Provider | None = None,
        engine: Engine | None = None,
    ) -> DeliverySession:
        return DeliverySession(
            engine or self.engine,
            self.settings,
            mode,
            self.open_provider if provider is None else lambda _name: provider,
            self.clock,
            owner,
            pause=self.pause,
            monotonic=self.monotonic,
        )

    def tick(self, mode: Mode = OUTBOX) -> Delivered:
        self.refresh()
        self.reserve(mode)
        return self.deliver(mode)

    def tick_without_answer(self, *answers: "Scripted", mode: Mode = LIVE) -> None:
        """Do all that a tick does, until the provider has done this and a batch got no answer."""
        self.refresh()
        self.reserve(mode)
        self.provider.answers += answers
        with pytest.raises(ProviderUnavailable):
            self.deliver(mode)

    def days_pass(self, days: float) -> None:
        self.now += timedelta(days=days)

    def add(self, *ids: int, **columns: object) -> None:
        rows = [
            {
                "id": n,
                "email": f"u{n}@example.com",
                "name": f"User {n}",
                "dormant": True,
                "verified": True,
                "reminded": False,
                "last_activity_at": None,
                **columns,
            }
            for n in ids
        ]
        with self.engine.begin() as connection:
            connection.execute(insert(users), rows)

    def add_large(self, *ids: int) -> None:
        """Add users with names that do not compress."""
        noise = random.Random(0)
        self.add(*ids)
        for n in ids:
            self.change(n, name="".join(noise.choices(string.ascii_letters, k=100)))

    def change(self, *ids: int, **columns: object) -> None:
        with self.engine.begin() as connection:
            connection.execute(update(users).where(users.c.id.in_(ids)).values(**columns))

    def remove(self, *ids: int) -> None:
        """Delete users in the product."""
        with self.engine.begin() as connection:
            connection.execute(delete(users).where(users.c.id.in_(ids)))

    def states(self) -> dict[int, str]:
        """The latest decision about each user: `accepted`, `skipped:left_segment` …"""
        made = select(sends.c.user_id, sends.c.state, sends.c.reason).where(own(sends))
        made = made.order_by(sends.c.as_of, sends.c.decided_at)
        waiting = select(deferred.c.user_id, literal("deferred"), deferred.c.reason).where(own(deferred))
        with self.engine.connect() as connection:
            rows = [*connection.execute(made), *connection.execute(waiting)]
        return {user: f"{state}:{reason}" if reason else state for user, state, reason in rows}

    def batch_states(self) -> dict[str, int]:
        query = select(batches.c.state, func.count()).where(own(batches)).group_by(batches.c.state)
        with self.engine.connect() as connection:
            return dict(connection.execute(query).all())

    def reminded(self) -> set[int]:
        with self.engine.connect() as connection:
            return set(connection.execute(select(users.c.id).where(users.c.reminded)).scalars())


def planned(root: Path, settings: Settings, loop: str) -> LoopPlan:
    file = root / "loops" / "retention.yaml"
    file.write_text(loop, encoding="utf-8")
    loaded = load_file(file, root)
    assert loaded.error is None, loaded.error
    assert loaded.loop is not None
    assert loaded.document is not None
    return plan_loop(loaded.loop, loaded.document, settings)


def make_world(engine: Engine, root: Path) -> World:
    for folder in ("loops", "templates"):
        (root / folder).mkdir()
    (root / "skene.yaml").write_text(SETTINGS, encoding="utf-8")
    (root / "templates" / "hello.mjml").write_text(MJML, encoding="utf-8")
    (root / "templates" / "hello.txt").write_text(TEXT, encoding="utf-8")
    settings = settings_module.load(root, {})
    # What is small here must still be judged.
    settings = replace(settings, limits=settings.limits.model_copy(update={"least_change": 0}))
    users.metadata.create_all(engine)
    prepared_tables.make(engine, settings.users)
    environment.belong(engine, settings.environment)
    neighbours.settle(engine, (1, 2, 3))
    world = World(engine, root, settings, planned(root, settings, LOOP))
    world.provider.clock = world.clock
    return world
