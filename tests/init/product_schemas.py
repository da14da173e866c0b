"""Schemas of frameworks and of products, as DDL, and what `init` has to find in each."""

import re
from dataclasses import dataclass, field
from pathlib import Path

from skene_dagster.init.choosing.columns import When
from skene_dagster.init.proposal import Proposal

FOLDER = Path(__file__).parent / "schemas"


@dataclass(frozen=True)
class Expected:
    """A proposal, as far as it is of interest; times are `column`, or `column in seconds`."""

    users: str
    key: str = "id"
    email: str = "email"
    name: str | None = None
    created: str | None = None
    activity: str | None = None
    """`table.column`, where that is no column of the users table."""
    mailable: list[str] = field(default_factory=list)
    events: str | None = None
    """`table: user, name, at`."""
    aloud: str = ""
    """Words of what has to be said aloud."""


def read(name: str) -> str:
    return (FOLDER / f"{name}.sql").read_text(encoding="utf-8")


def for_sqlite(ddl: str) -> str:
    """Leave out MySQL's keys and counters, which SQLite does not know."""
    return re.sub(r",\s*(UNIQUE )?KEY \w+ \(\w+\)|auto_increment|unsigned", "", ddl, flags=re.IGNORECASE)


def as_expected(found: Proposal, aloud: str) -> Expected:
    """Write a proposal as one would expect it."""
    events, activity = found.events, found.activity
    return Expected(
        users=found.table.name,
        key=found.key,
        email=found.email,
        name=found.name,
        created=_when(found.created),
        activity=None
        if activity is None
        else (f"{activity.table}." if activity.user else "") + str(_when(activity.when)),
        mailable=[one.sql for one in found.mailable],
        events=None
        if events is None
        else f"{events.table.name}: {events.user.name}, {events.name.name}, {_when(events.at)}",
        aloud=aloud if aloud in " ".join(found.aloud) else " ".join(found.aloud),
    )


def _when(when: When | None) -> str | None:
    return None if when is None else when.column + (f" in {when.unit}" if when.unit else "")


EXPECTED: dict[str, Expected] = {
    "django": Expected(
        "auth_user",
        name="first_name",
        created="date_joined",
        activity="last_login",
        mailable=["is_staff = 0", "is_active = 1"],
        aloud="`id IN (SELECT user_id FROM account_emailaddress WHERE verified = 1)`",
    ),
    "fastapi_users": Expected("user", mailable=["is_active = 1"], aloud="is_verified"),
    "flask_security": Expected(
        "user",
        name="username",
        created="create_datetime",
        activity="current_login_at",
        mailable=["active = 1"],
        aloud="last_login_at is the sign-in before the last",
    ),
    "devise": Expected(
        "users",
        created="created_at",
        mailable=["locked_at IS NULL", "discarded_at IS NULL"],
        events="ahoy_events: user_id, name, time",
        aloud="last_sign_in_at is the sign-in before the last",
    ),
    "devise_without_trackable": Expected("users", created="created_at", aloud="Trackable is off"),
    "rails8": Expected(
        "users", email="email_address", created="created_at", aloud="sessions (Rails) has a row for each sign-in"
    ),
    "laravel": Expected(
        "users", name="name", created="created_at", mailable=["deleted_at IS NULL"], aloud="causer_type says whose id"
    ),
    "prisma_authjs": Expected("User", name="name", created="createdAt", aloud="Session.expires (Auth.js)"),
    "drizzle_authjs": Expected("user", name="name", aloud="session.expires (Auth.js)"),
    "better_auth": Expected(
        "user",
        name="name",
        created="createdAt",
        mailable=["COALESCE(banned, 0) = 0"],
        aloud="session.updatedAt (Better Auth) moves at most once a day",
    ),
    "wordpress": Expected("wp_users", key="ID", email="user_email", name="display_name", created="user_registered"),
    "segment_warehouse": Expected(
        "users",
        name="full_name",
        created="created_at",
        events="tracks: user_id, event_text, timestamp",
        aloud="users.last_seen_at holds numbers",
    ),
    "foreign": Expected(
        "auth_user",
        name="first_name",
        created="date_joined",
        mailable=["is_active = 1"],
        events="analytics_event: distinct_id, event, occurred_at",
        aloud="distinct_id (VARCHAR(64)) is not of the type of auth_user.id",
    ),
    "unix_times": Expected(
        "user",
        email="mail",
        name="nickname",
        activity="user_presence.last_seen_ms in milliseconds",
        mailable=["COALESCE(deleted_at, 0) = 0"],
        events="usage_events: user_id, action, at",
        aloud="user.created holds numbers",
    ),
}
