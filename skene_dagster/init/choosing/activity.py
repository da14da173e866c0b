"""When a user was last active: a column of theirs, a row elsewhere, or nothing that says so."""

from collections.abc import Iterator
from dataclasses import dataclass

from skene_dagster.init.choosing import vocabulary
from skene_dagster.init.choosing.columns import When, find, read_when
from skene_dagster.init.schema import Rows, Schema, Table
from skene_dagster.init.words import folded, references, spelled

WOOCOMMERCE = "wc_last_active"


@dataclass(frozen=True)
class Activity:
    """Where the last activity stands."""

    table: str
    when: When
    user: str = ""
    """The column of another table that names the user; empty if it is a column of theirs."""
    only: str = ""
    """SQL for the rows of the other table that count; empty for all."""
    is_sign_in: bool = False
    """It moves when somebody signs in, not with what they do."""
    as_number: bool = False
    """A text that holds a number."""


def find_activity(schema: Schema, users: Table, rows: Rows, prefix: str) -> Activity | None:
    """Find where the last activity stands: first what says so for each user, then a table of visits or sign-ins."""
    for name in vocabulary.ACTIVITY:
        column = find(users, [name], prefix=prefix)
        if column is None or (
            name in vocabulary.BEFORE_LAST and find(users, [vocabulary.BEFORE_LAST[name]], prefix=prefix)
        ):
            continue
        found = read_when(users, column, rows)
        if found is not None and column.kind != "flag":
            return Activity(users.name, found, is_sign_in="login" in name or "sign" in name)
    return _elsewhere(schema, users, rows, prefix) or _of_woocommerce(schema, users, rows)


def aloud(schema: Schema, users: Table, found: Activity | None, prefix: str) -> Iterator[str]:
    """Say what looks like activity and is none, or is less than it seems."""
    if find(users, ["lastsigninat"], prefix=prefix) and find(users, ["currentsigninat"], prefix=prefix):
        yield "last_sign_in_at is the sign-in before the last; current_sign_in_at is the last one."
    if find(users, ["lastloginat"], prefix=prefix) and find(users, ["currentloginat"], prefix=prefix):
        yield "last_login_at is the sign-in before the last; current_login_at is the last one."
    if found is not None and found.is_sign_in:
        yield f"{found.table}.{found.when.column} moves when somebody signs in, not with what they do after that."
    if found is None and users.has("encrypted_password") and not users.has("current_sign_in_at"):
        yield "Devise keeps no last sign-in here: its Trackable is off. Switch it on, or send events."
    for name in ("sessions", "session", "Session"):
        session = schema.table(name)
        if session is None or found is not None:
            continue
        if session.has("expiresAt", "token", "updatedAt"):
            yield (
                f"{session.name}.updatedAt (Better Auth) moves at most once a day, and goes when the session ends: "
                "it is not taken as activity."
            )
        elif session.has("sessionToken", "expires"):
            yield f"{session.name}.expires (Auth.js) is when a session ends, not activity."
        elif session.has("payload", "last_activity"):
            yield (
                f"{session.name}.last_activity (Laravel) is gone once a session has expired: who has no row may have "
                "been here yesterday. It is not taken as activity."
            )
        elif session.has("user_id", "user_agent") and session.has("created_at"):
            yield (
                f"{session.name} (Rails) has a row for each sign-in that is never touched again, and goes when they "
                "sign out: it is not taken as activity."
            )
        break


def _elsewhere(schema: Schema, users: Table, rows: Rows, prefix: str) -> Activity | None:
    pointing = references(schema, users, prefix)
    for table, user in pointing:
        if vocabulary.PASSING & set(spelled(table.name)):
            continue
        for name in vocabulary.SEEN:
            column = find(table, [name])
            found = read_when(table, column, rows) if column is not None else None
            if found is not None:
                return Activity(table.name, found, user)
    for table, user in pointing:
        words = {*spelled(table.name), folded(table.name, table)}
        if words & vocabulary.PER_SIGN_IN and not words & vocabulary.PASSING:
            for name in vocabulary.SIGNED_IN_AT:
                column = find(table, [name])
                found = read_when(table, column, rows) if column is not None else None
                if found is not None:
                    return Activity(table.name, found, user, is_sign_in="visit" not in words)
    return None


def _of_woocommerce(schema: Schema, users: Table, rows: Rows) -> Activity | None:
    meta = next((one for one in schema.tables if one.has("user_id", "meta_key", "meta_value")), None)
    if meta is None or not users.has("user_registered"):
        return None
    # WooCommerce, 2026-11: midnight UTC of the last day, in seconds, as a text; without the plugin there is no row.
    if WOOCOMMERCE not in rows.sample(meta.name, "meta_key"):
        return None
    when = When("meta_value", "seconds", has_zeros=True)
    return Activity(meta.name, when, "user_id", f"meta_key = '{WOOCOMMERCE}'", as_number=True)
