"""Several loops, and a user to whom everything has happened: made by real ticks, answers and feedback."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

import prepared_tables
from delivery_world import LIVE, MJML, TEXT, Script, Scripted, World, lose_the_answer
from sqlalchemy import Engine, select, text

from skene_dagster.consent import preferences
from skene_dagster.consent.preferences import Said
from skene_dagster.consent.recipient import Recipients
from skene_dagster.consent.suppressions import Scope
from skene_dagster.delivery.providers.feedback import Kind, Report
from skene_dagster.feedback import inbox
from skene_dagster.feedback.reading import drain
from skene_dagster.loops.plan import LoopPlan
from skene_dagster.loops.times.hours import ANY_HOUR
from skene_dagster.project import Project, load_project
from skene_dagster.segments.triggers import finding
from skene_dagster.settings import Settings, load
from skene_dagster.store import environment
from skene_dagster.store.engine import transaction
from skene_dagster.store.environment import ledger_id
from skene_dagster.store.tables import sends

SETTINGS = """\
users: {name: name, timezone: timezone, mailable: "staff = 0"}
sender:
  from: Little Product <hello@example.com>
  postal_address: 1 Example Street, Example Town
  unsubscribe_url: https://example.com/unsubscribe/{{user.id}}
limits: {caps: [{count: 2, within: 7d}], slices: off}
topics:
  product: {title: Product news}
  tips: {title: Tips}
  offers: {title: Offers, default: off, asked: offers_at}
"""

LOOP = """\
type: retention
TOPIC
steps:
  - name: STEP
    trigger: {type: schedule, cron: "0 9 * * *"}
    condition: {type: query, query: "QUERY"}
    action: {type: email, template: hello, personalization: {name: "{{user.name}}"}, repeat: REPEAT}
"""

FOLLOWED = """\
  - name: last_call
    trigger: {type: after, step: nudge, wait: 7d}
    condition: {type: query, query: SELECT id FROM users WHERE dormant = 1}
    action: {type: email, template: hello, personalization: {name: "{{user.name}}"}}
"""

UPGRADE = (
    "SELECT u.id FROM users u WHERE u.plan = 'free' AND (u.created_at < NOW() - INTERVAL 7 DAY) "
    "AND NOT EXISTS (SELECT 1 FROM invoices i WHERE i.user_id = u.id)"
)


def loop(name: str, query: str, *, topic: str = "product", repeat: str = "every_entry", step: str = "main") -> str:
    words = {"TOPIC": f"topic: {topic}", "STEP": step, "QUERY": query, "REPEAT": repeat}
    made = LOOP
    for word, meant in words.items():
        made = made.replace(word, meant)
    return f"name: {name}\n{made}"


LOOPS: Mapping[str, str] = {
    "win_back": loop("win_back", "SELECT id FROM users WHERE dormant = 1", step="nudge") + FOLLOWED,
    "activation": loop("activation", "SELECT id FROM users WHERE plan = 'team'"),
    "vip": loop("vip", "SELECT id FROM users WHERE vip = 1"),
    "milestones": loop("milestones", "SELECT id FROM users WHERE vip = 1", topic="tips"),
    "weekly_offers": loop("weekly_offers", "SELECT id FROM users WHERE vip = 1", topic="offers"),
    "upgrade": loop("upgrade", UPGRADE),
    "grouped": loop("grouped", "SELECT user_id FROM invoices GROUP BY user_id"),
}

USERS = """\
CREATE TABLE users (id {key} PRIMARY KEY NOT NULL, email VARCHAR(255), name VARCHAR(255), timezone VARCHAR(64),
plan VARCHAR(20), created_at DATETIME, offers_at DATETIME,
dormant INTEGER NOT NULL, vip INTEGER NOT NULL, staff INTEGER NOT NULL)"""

INVOICES = "CREATE TABLE invoices (id INTEGER PRIMARY KEY NOT NULL, user_id {key})"


@dataclass
class Scene:
    """Loops that tick when a test wants it, over one database and one provider."""

    engine: Engine
    root: Path
    settings: Settings
    project: Project
    now: datetime
    provider: Script = field(default_factory=Script)

    def plan(self, name: str) -> LoopPlan:
        return next(plan for plan in self.project.loops if plan.name == name)

    def world(self, name: str, step: int = 0) -> World:
        """One loop of it."""
        world = World(self.engine, self.root, self.settings, self.plan(name), self.provider, self.now)
        world.step_number = step
        self.provider.clock = world.clock
        return world

    def tick(self, name: str, *answers: Scripted) -> None:
        """Refresh, decide and send, at this moment; with answers, the last of which is none."""
        world = self.world(name)
        if answers:
            world.tick_without_answer(*answers, mode=LIVE)
        else:
            world.tick(LIVE)

    def refresh(self, name: str) -> None:
        self.world(name).refresh()

    def find_rows(self, name: str, step: int) -> None:
        """Let rows trigger a step."""
        world = self.world(name, step)
        finding.refresh(
            self.engine,
            plan=world.plan,
            step=world.step,
            settings=self.settings,
            mode=LIVE.name,
            as_of=self.now,
            clock=world.clock,
            run_id="run",
        )

    def after(self, **span: float) -> None:
        self.now += timedelta(**span)

    def execute(self, statement: str, **values: object) -> None:
        with self.engine.begin() as connection:
            connection.execute(text(statement), values)

    def add(self, key: object, **columns: object) -> None:
        row: dict[str, object] = {
            "id": key,
            "email": f"u{key}@example.com",
            "name": "Ada Lovelace",
            "timezone": "Europe/Berlin",
            "plan": "team",
            "created_at": self.now - timedelta(days=100),
            "dormant": 0,
            "vip": 0,
            "staff": 0,
            "offers_at": None,
            **columns,
        }
        names = ", ".join(row)
        self.execute(f"INSERT INTO users ({names}) VALUES ({', '.join(f':{name}' for name in row)})", **row)

    def change(self, key: object, **columns: object) -> None:
        self.execute(
            f"UPDATE users SET {', '.join(f'{n} = :{n}' for n in columns)} WHERE id = :key", key=key, **columns
        )

    def newest(self, key: object, name: str) -> dict[str, object]:
        """The newest email of a loop to a user."""
        query = select(sends).where(sends.c.user_id == key, sends.c.loop == name, sends.c.batch_id.is_not(None))
        with self.engine.connect() as connection:
            return dict(connection.execute(query.order_by(sends.c.as_of.desc()).limit(1)).mappings().one())

    def told(self, key: object, name: str, kind: Kind, **more: object) -> None:
        """The provider tells what became of the newest email of a loop to a user, and it is read."""
        send = self.newest(key, name)
        with self.engine.connect() as connection:
            origin = f"{ledger_id(connection)}-{send['batch_id']}"
        report = Report(
            f"{kind}-{send['send_id']}",
            f"email.{kind}",
            kind,
            self.now,
            provider_id=f"id-{send['send_id']}",
            send_id=str(send["send_id"]),
            origin=origin,
            address=f"u{key}@example.com" if kind in ("bounced", "complained", "rejected") else None,
            domain="example.com",
        )
        report = replace(report, **more)  # type: ignore[arg-type]  # the fields of Report
        transaction(self.engine, lambda c: inbox.put(c, "resend", [report], self.now))
        drain(self.engine, lambda: self.now, seconds=60)

    def says_no(self, key: object, scope: Scope, source: str, send_id: object = None) -> None:
        said = Said(self.now, source, None, None if send_id is None else str(send_id))
        transaction(
            self.engine,
            lambda c: preferences.say_no(
                c, Recipients.of(c).of_user(key, f"u{key}@example.com"), scope, said, self.now
            ),
        )


def make_scene(engine: Engine, root: Path, now: datetime, *, key: str = "BIGINT", environ: Mapping[str, str]) -> Scene:
    for folder in ("loops", "templates"):
        (root / folder).mkdir(parents=True)
    (root / "skene.yaml").write_text(SETTINGS, encoding="utf-8")
    (root / "templates" / "hello.mjml").write_text(MJML, encoding="utf-8")
    (root / "templates" / "hello.txt").write_text(TEXT, encoding="utf-8")
    for name, written in LOOPS.items():
        (root / "loops" / f"{name}.yaml").write_text(written, encoding="utf-8")
    settings = load(root, environ)
    # What is small here must still be judged, and no first wave waits.
    settings = replace(settings, limits=settings.limits.model_copy(update={"least_change": 10**9}))
    with engine.begin() as connection:
        connection.execute(text(USERS.format(key=key)))
        connection.execute(text(INVOICES.format(key=key)))
    prepared_tables.make(engine, settings.users)
    environment.belong(engine, settings.environment)
    project = load_project(settings)
    assert not project.broken, [one.error for one in project.broken]
    return Scene(engine, root, settings, project, now)


def everything_happens(scene: Scene, key: object) -> None:
    """Live through three weeks in which every case of the explanation occurs to one user. Its end is `scene.now`."""
    scene.add(key, vip=1)
    scene.refresh("vip")
    scene.tick("activation")
    scene.after(minutes=1)
    scene.told(key, "activation", "delivered")
    scene.after(days=9)
    scene.tick("vip")
    scene.told(key, "vip", "delivered")
    scene.after(hours=1)
    scene.told(key, "vip", "clicked")
    scene.says_no(key, "topic:tips", "one click in a mail program", scene.newest(key, "vip")["send_id"])
    scene.after(days=1)
    scene.tick("milestones")
    scene.tick("weekly_offers")
    scene.after(days=1)
    scene.change(key, vip=0)
    scene.refresh("vip")
    scene.refresh("upgrade")
    scene.refresh("grouped")
    assert scene.plan("vip").steps[0].email.hours == ANY_HOUR  # type: ignore[union-attr]  # it sends


def one_is_in_doubt(scene: Scene, key: object) -> None:
    """Send an email of `activation` of which nobody ever hears again."""
    scene.change(key, plan="free")
    scene.refresh("activation")
    scene.after(minutes=1)
    scene.change(key, plan="team")
    scene.tick("activation", lose_the_answer)
    scene.after(hours=24)
    scene.world("activation").deliver(LIVE)
