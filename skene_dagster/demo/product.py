"""The small product's database: a SQLite file that the demo makes, and that it alone may remove."""

import hashlib
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from random import Random

from sqlalchemy import Engine, update

from skene_dagster.delivery.providers import registry
from skene_dagster.demo.life import Mailed, deeds, starts_at_once
from skene_dagster.demo.people import DAY, HISTORY, SEED, Person, last_visit, person
from skene_dagster.goals.coin import SALT
from skene_dagster.settings import Settings
from skene_dagster.store import schema
from skene_dagster.store.engine import transaction
from skene_dagster.store.tables import meta

APPLICATION_ID = 0x736B6E64
"""Stands in the header of the file, where SQLite keeps a number for whoever made it: this file is the demo's."""

_SCHEMA = """
CREATE TABLE users (
    id INTEGER PRIMARY KEY,
    email VARCHAR(255),
    name VARCHAR(100),
    last_activity_at DATETIME,
    re_engagement_sent BOOLEAN NOT NULL DEFAULT 0,
    created_at DATETIME NOT NULL,
    deleted_at DATETIME,
    plan VARCHAR(20) NOT NULL,
    activation_link VARCHAR(255) NOT NULL
);
CREATE INDEX users_last_activity_at ON users (last_activity_at);
CREATE INDEX users_created_at ON users (created_at);
CREATE TABLE user_actions (
    id INTEGER PRIMARY KEY,
    user_id INTEGER NOT NULL,
    action_type VARCHAR(50) NOT NULL
);
CREATE INDEX user_actions_user ON user_actions (user_id, action_type);
CREATE TABLE events (
    id INTEGER PRIMARY KEY,
    user_id INTEGER NOT NULL,
    name VARCHAR(128) NOT NULL,
    happened_at DATETIME NOT NULL
);
CREATE INDEX events_happened_at ON events (happened_at);
CREATE INDEX events_user ON events (user_id, happened_at);
"""


def is_demo(file: Path) -> bool:
    """Say whether the demo made this database. Reads its header only."""
    with file.open("rb") as opened:
        header = opened.read(72)
    return header.startswith(b"SQLite format 3\0") and int.from_bytes(header[68:72], "big") == APPLICATION_ID


def remove(file: Path, outbox: Path) -> None:
    """Remove a demo's database and emails; of the outbox only what the outbox writes there."""
    for name in (file.name, f"{file.name}-wal", f"{file.name}-shm"):
        file.with_name(name).unlink(missing_ok=True)
    registry.clear_outbox(outbox)


def create(file: Path, count: int, first_tick: datetime) -> list[Person]:
    """Make the database as it stands at the first tick, and return its users."""
    people = [person(identity, first_tick) for identity in range(1, count + 1)]
    file.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.executescript(_SCHEMA)
        _insert_users(connection, [(someone, last_visit(someone, first_tick)) for someone in people], first_tick)
        for n in range(HISTORY):
            _insert_events(connection, people, first_tick - n * DAY, {})
    return people


def fix_the_coin(engine: Engine, settings: Settings) -> None:
    """Make our tables, with a salt of the coin that is the same in each demo: so the same users are held out."""
    schema.upgrade(engine, settings.users, settings.accounts)
    salt = hashlib.sha256(b"the demo").hexdigest()
    transaction(
        engine, lambda connection: connection.execute(update(meta).where(meta.c.name == SALT).values(value=salt))
    )


def live(file: Path, people: list[Person], tick: datetime, mailed: Mailed) -> list[Person]:
    """Let the 24 hours before `tick` pass: visits, answers to emails, closed accounts, and new users.

    Returns:
        Everybody, the new users included.
    """
    since = tick - DAY
    newcomers = _newcomers(people, tick)
    closed = [someone for someone in people if someone.closes is not None and since < someone.closes <= tick]
    with closing(sqlite3.connect(file)) as connection, connection:
        _insert_users(connection, [(someone, someone.created_at) for someone in newcomers], tick)
        everybody = [*people, *newcomers]
        seen = _insert_events(connection, everybody, tick, mailed)
        connection.executemany(
            "UPDATE users SET last_activity_at = ? WHERE id = ? AND coalesce(last_activity_at, '') < ?",
            [(at, identity, at) for identity, at in seen],
        )
        connection.executemany(
            "INSERT INTO user_actions (user_id, action_type) VALUES (?, 'first_project_created')",
            [(someone.id,) for someone in newcomers if starts_at_once(someone)],
        )
        connection.executemany(
            "UPDATE users SET deleted_at = ? WHERE id = ?",
            [(_text(someone.closes), someone.id) for someone in closed if not _erased(someone)],
        )
        connection.executemany("DELETE FROM users WHERE id = ?", [(s.id,) for s in closed if _erased(s)])
    return everybody


def active(file: Path, tick: datetime) -> int:
    """Count who did something in the 24 hours before `tick`."""
    between = [f"{moment:%Y-%m-%d %H:%M:%S}" for moment in (tick - DAY, tick)]
    with closing(sqlite3.connect(file)) as connection:
        query = "SELECT count(DISTINCT user_id) FROM events WHERE happened_at > ? AND happened_at <= ?"
        (count,) = connection.execute(query, between).fetchone()
    return int(count)


def _insert_users(
    connection: sqlite3.Connection, people: Iterable[tuple[Person, datetime | None]], now: datetime
) -> None:
    connection.executemany(
        "INSERT INTO users VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", [_row(someone, seen, now) for someone, seen in people]
    )


def _insert_events(
    connection: sqlite3.Connection, people: Iterable[Person], tick: datetime, mailed: Mailed
) -> list[tuple[int, str]]:
    """Write what everybody does in the 24 hours before `tick`; return who was seen, and when."""
    rows = [
        (someone.id, name, f"{at:%Y-%m-%d %H:%M:%S}") for someone in people for at, name in deeds(someone, tick, mailed)
    ]
    connection.executemany("INSERT INTO events (user_id, name, happened_at) VALUES (?, ?, ?)", rows)
    return [(identity, at) for identity, _, at in rows]


def _newcomers(people: list[Person], tick: datetime) -> list[Person]:
    draw = Random(f"{SEED}/newcomers/{tick:%Y-%m-%d}")  # noqa: S311 - invented people, no secrets
    times = sorted(tick - timedelta(seconds=draw.randrange(86400)) for _ in range(draw.randint(5, 12)))
    return [person(len(people) + n, tick, signed_up=at) for n, at in enumerate(times, 1)]


def _erased(someone: Person) -> bool:
    """Whether a closed account is taken out of the table, rather than only marked."""
    return someone.id % 2 == 0


def _row(someone: Person, seen: datetime | None, now: datetime) -> tuple[object, ...]:
    closes = someone.closes if someone.closes is not None and someone.closes <= now else None
    return (
        someone.id,
        someone.email,
        someone.name,
        _text(seen),
        someone.flagged,
        _text(someone.created_at),
        _text(closes),
        someone.plan,
        f"https://app.example.com/start?u={someone.id}",
    )


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else f"{moment:%Y-%m-%d %H:%M:%S}"
