"""What recipients say themselves, about marketing or one topic: a "no" suppresses, a "yes" lifts, and both are kept.

This module owns skene_preferences.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import Connection, and_, delete, func, insert, or_, select, update

from skene_dagster.consent import suppressions
from skene_dagster.consent.suppressions import Scope, Suppression
from skene_dagster.store.tables import preferences

Answer = Literal["yes", "no"]

LIFTED_BY_THEM = "they said yes"


@dataclass(frozen=True)
class Said:
    """When and where somebody said something."""

    at: datetime
    source: str
    """A page, a mail program, a command; at most 64 characters."""
    text_digest: str | None = None
    """SHA-256 of the text that they were shown, in hex digits; None where nothing was shown."""
    send_id: str | None = None
    """The email whose link they followed; None: there was none."""


def say_no(connection: Connection, recipients: Collection[str], scope: Scope, said: Said, now: datetime) -> None:
    """Stop mail of a scope, `marketing` or a topic, to an address and to the user who has it.

    It may be said again, and may be heard late: after a later "yes" it stops nothing.

    Raises:
        IntegrityError: another process writes the same at this moment; do it again.
    """
    _keep(connection, recipients, scope, "no", said)
    if not _said_yes_since(connection, recipients, scope, said.at):
        entries = [Suppression(one, scope, said.at, "said_no", said.source) for one in recipients]
        suppressions.suppress(connection, entries, now)


def say_yes(connection: Connection, recipients: Collection[str], scope: Scope, said: Said, now: datetime) -> None:
    """Let mail of a scope through again that they had stopped, or that waits for their consent.

    What stops all mail stays: a dead address is no matter of preference.

    Raises:
        IntegrityError: another process writes the same at this moment; do it again.
    """
    _keep(connection, recipients, scope, "yes", said)
    suppressions.lift(connection, recipients, LIFTED_BY_THEM, now, [scope])


def answers(connection: Connection, recipients: Collection[str], scopes: Collection[Scope]) -> dict[Scope, Answer]:
    """Say what somebody answered last about each scope, by whichever of their names; what they never did is missing."""
    query = (
        select(preferences.c.scope, preferences.c.answer)
        .where(preferences.c.recipient.in_(recipients), preferences.c.scope.in_(scopes))
        .order_by(preferences.c.said_at, preferences.c.answer.desc())
    )
    # Of two at one moment the "no" counts: it comes last.
    return {row.scope: row.answer for row in connection.execute(query)}


@dataclass(frozen=True, order=True)
class Answered:
    """What was answered last by one name; of two at one moment the "no" is the greater."""

    at: datetime
    is_no: bool

    @property
    def is_yes(self) -> bool:
        """Whether it was a yes."""
        return not self.is_no


def newest(connection: Connection, recipients: Collection[str], scope: Scope) -> dict[str, Answered]:
    """Say what some recipients answered last about a scope; who never did is missing."""
    found: dict[str, Answered] = {}
    for some in suppressions.at_once(sorted(set(recipients))):
        query = select(preferences.c.recipient, preferences.c.said_at, preferences.c.answer).where(
            preferences.c.recipient.in_(some), preferences.c.scope == scope
        )
        for recipient, at, answer in connection.execute(query):
            said = Answered(at, is_no=answer == "no")
            found[recipient] = max(said, found.get(recipient, said))
    return found


def _said_yes_since(connection: Connection, recipients: Collection[str], scope: Scope, at: datetime) -> bool:
    later = (
        select(preferences.c.recipient)
        .where(
            preferences.c.recipient.in_(recipients),
            preferences.c.scope == scope,
            preferences.c.said_at > at,
            preferences.c.answer == "yes",
        )
        .limit(1)
    )
    return connection.execute(later).first() is not None


def _keep(connection: Connection, recipients: Collection[str], scope: Scope, answer: Answer, said: Said) -> None:
    kept: Sequence[str] = (
        connection.execute(
            select(preferences.c.recipient).where(
                preferences.c.recipient.in_(recipients), preferences.c.scope == scope, preferences.c.said_at == said.at
            )
        )
        .scalars()
        .all()
    )
    rows = [
        {
            "recipient": one,
            "scope": scope,
            "said_at": said.at,
            "answer": answer,
            "source": said.source,
            "text_digest": said.text_digest,
            "send_id": said.send_id,
        }
        for one in sorted(set(recipients) - set(kept))
    ]
    if rows:
        connection.execute(insert(preferences), rows)


def refusals_by_link(connection: Connection, since: datetime) -> dict[str, datetime]:
    """Say to which emails, by send_id, somebody answered "no" after a moment, and when first."""
    mine = (preferences.c.said_at > since, preferences.c.answer == "no", preferences.c.send_id.is_not(None))
    query = select(preferences.c.send_id, func.min(preferences.c.said_at)).where(*mine)
    return {row[0]: row[1] for row in connection.execute(query.group_by(preferences.c.send_id))}


def unname(connection: Connection, recipients: Collection[str], send_ids: Collection[str]) -> int:
    """Forget what some recipients said yes to, and by which email they said no; return how many rows were changed."""
    theirs = preferences.c.recipient.in_(recipients)
    forgotten = connection.execute(delete(preferences).where(theirs, preferences.c.answer == "yes")).rowcount
    by_link = and_(preferences.c.send_id.is_not(None), or_(theirs, preferences.c.send_id.in_(send_ids)))
    return forgotten + connection.execute(update(preferences).where(by_link).values(send_id=None)).rowcount


@dataclass(frozen=True)
class Kept:
    """An answer as it is kept."""

    scope: Scope
    answer: Answer
    said: Said


def said_by(connection: Connection, recipients: Collection[str], limit: int) -> list[Kept]:
    """List the newest answers of somebody, by whichever of their names, the newest first; of two at once the "no"."""
    row = preferences.c
    query = (
        select(row.scope, row.answer, row.said_at, row.source, row.text_digest, row.send_id)
        .where(row.recipient.in_(sorted(set(recipients))))
        .order_by(row.said_at.desc(), row.scope, row.answer, row.recipient)
        .limit(limit)
    )
    return [Kept(scope, answer, Said(*said)) for scope, answer, *said in connection.execute(query)]
