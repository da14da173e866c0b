"""The small product's database: a SQLite file that the demo makes, and that it alone may remove."""

import shutil
import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from random import Random

from skene_dagster.delivery.providers.outbox_files import BATCHES, VIEW
from skene_dagster.demo.people import DAY, SEED, Person, answer, last_visit, person, visit

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
    deleted_at DATETIME
);
CREATE INDEX users_last_activity_at ON users (last_activity_at);
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
    for email in outbox.glob("*.eml"):
        email.unlink()
    (outbox / "index.html").unlink(missing_ok=True)
    for folder in (outbox / BATCHES, outbox / VIEW):
        shutil.rmtree(folder, ignore_errors=True)


def create(file: Path, count: int, first_tick: datetime) -> list[Person]:
    """Make the database as it stands at the first tick, and return its users."""
    people = [person(identity, first_tick) for identity in range(1, count + 1)]
    file.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.executescript(_SCHEMA)
        connection.executemany(
            "INSERT INTO users VALUES (?, ?, ?, ?, ?, ?, ?)",
            [_row(someone, last_visit(someone, first_tick), first_tick) for someone in people],
        )
    return people


def live(file: Path, people: list[Person], tick: datetime, mailed: Mapping[int, datetime]) -> list[Person]:
    """Let the 24 hours before `tick` pass: visits, answers to emails, closed accounts, and new users.

    Args:
        mailed: when each user got an email, by key.

    Returns:
        Everybody, the new users included.
    """
    since = tick - DAY
    newcomers = _newcomers(people, tick)
    seen = [
        (_text(at), someone.id, _text(at))
        for someone in people
        for at in _visits(someone, tick, mailed.get(someone.id))
        if since < at <= tick
    ]
    closed = [someone for someone in people if someone.closes is not None and since < someone.closes <= tick]
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.executemany(
            "UPDATE users SET last_activity_at = ? WHERE id = ? AND coalesce(last_activity_at, '') < ?", seen
        )
        connection.executemany(
            "UPDATE users SET deleted_at = ? WHERE id = ?",
            [(_text(someone.closes), someone.id) for someone in closed if not _erased(someone)],
        )
        connection.executemany("DELETE FROM users WHERE id = ?", [(s.id,) for s in closed if _erased(s)])
        connection.executemany(
            "INSERT INTO users VALUES (?, ?, ?, ?, ?, ?, ?)",
            [_row(someone, someone.created_at, tick) for someone in newcomers],
        )
    return [*people, *newcomers]


def _visits(someone: Person, tick: datetime, mailed_at: datetime | None) -> Iterable[datetime]:
    own = visit(someone, tick)
    if own is not None:
        yield own
    answered = answer(someone, mailed_at) if mailed_at is not None else None
    if answered is not None:
        yield answered


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
    )


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else f"{moment:%Y-%m-%d %H:%M:%S}"
