"""The list of suppressions: whom which mail may not reach, since when, and why; what was lifted stays on record.

This module owns skene_suppressions.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Literal, TypeVar

from sqlalchemy import ColumnElement, Connection, insert, select, tuple_, update

from skene_dagster.store.tables import OPEN, suppressions

Scope = Literal["all", "marketing"]
"""What a suppression stops: every email, or all but those that the recipient asked for (`transactional: true`)."""

No = Literal["suppressed", "said_no"]
"""Why somebody is not mailed: their address must get nothing; they want no marketing."""

Reason = Literal["said_no", "bounce", "complaint", "provider", "erased", "manual"]

COMPLAINT: Reason = "complaint"

SCOPES: tuple[Scope, ...] = ("all", "marketing")

MARKETING: tuple[Scope, ...] = SCOPES
"""What stops a marketing email."""

TRANSACTIONAL: tuple[Scope, ...] = ("all",)
"""What stops an email that the recipient asked for."""

Item = TypeVar("Item")

AT_ONCE = 1_000
"""Recipients in one statement."""


@dataclass(frozen=True)
class Suppression:
    """A recipient whom some mail may not reach."""

    recipient: str
    """As `Recipients` names them."""
    scope: Scope
    since: datetime
    """When they said so, or it was found out; it may be long before it was written down."""
    reason: Reason
    source: str
    """Who says so: a command, a file, a provider."""
    address: str | None = None
    """In the clear, so that it can be exported; None where it is not known, or was erased."""
    until: datetime = OPEN
    """When it ends by itself."""


COLUMNS = tuple(
    suppressions.c[name] for name in ("recipient", "scope", "since", "reason", "source", "address", "lifted_at")
)
"""What a `Suppression` is made of."""


def scopes_of(*, transactional: bool) -> tuple[Scope, ...]:
    """Say which suppressions stop an email."""
    return TRANSACTIONAL if transactional else MARKETING


def suppress(connection: Connection, entries: Iterable[Suppression], now: datetime) -> list[Suppression]:
    """Add suppressions; return those that were not there.

    What holds already stays as it is. Nor does anything suppress again what is older than its lift: whoever lifted it
    knew of it.

    Raises:
        IntegrityError: another process adds one of them at this moment; do it again.
    """
    added: list[Suppression] = []
    for some in _at_once(entries):
        new = lacking(connection, some, now)
        if new:
            connection.execute(insert(suppressions), [_row(one) for one in new])
        added += new
    return added


def lacking(connection: Connection, entries: Iterable[Suppression], now: datetime) -> list[Suppression]:
    """Say which of some suppressions would be added."""
    wanted: dict[tuple[str, str], Suppression] = {}
    for one in entries:
        wanted.setdefault((one.recipient, one.scope), one)
    for some in _at_once({recipient for recipient, _ in wanted}):
        known = select(suppressions.c.recipient, suppressions.c.scope, suppressions.c.lifted_at)
        for recipient, scope, lifted_at in connection.execute(known.where(suppressions.c.recipient.in_(some))):
            asked = wanted.get((recipient, scope))
            if asked is not None and (lifted_at > now or lifted_at >= asked.since):
                del wanted[recipient, scope]
    return list(wanted.values())


def lift(
    connection: Connection,
    recipients: Collection[str],
    why: str,
    now: datetime,
    scopes: Collection[Scope] = SCOPES,
    *,
    complaints: bool = True,
) -> list[Suppression]:
    """Let mail reach recipients again; return what was lifted, which stays on record with why.

    Args:
        complaints: whether to lift those of people who complained, too.
    """
    lifted: list[Suppression] = []
    for some in _at_once(sorted(set(recipients))):
        which = _holding(some, scopes, now)
        if not complaints:
            which &= suppressions.c.reason != COMPLAINT
        found = [Suppression(*row) for row in connection.execute(select(*COLUMNS).where(which))]
        # By their keys: a "no" that is committed between the two statements is not lifted.
        keys = [(one.recipient, one.scope, one.until) for one in found]
        if keys:
            key = tuple_(suppressions.c.recipient, suppressions.c.scope, suppressions.c.lifted_at)
            connection.execute(update(suppressions).where(key.in_(keys)).values(lifted_at=now, lift_reason=why))
        lifted += found
    return lifted


def stopped(
    connection: Connection, recipients: Collection[str], scopes: Collection[Scope], now: datetime
) -> dict[str, No]:
    """Say which of some recipients an email may not reach, and why."""
    found: dict[str, No] = {}
    for some in _at_once(sorted(set(recipients))):
        query = select(suppressions.c.recipient, suppressions.c.scope).where(_holding(some, scopes, now))
        for recipient, scope in connection.execute(query):
            if scope == "all" or recipient not in found:
                found[recipient] = "suppressed" if scope == "all" else "said_no"
    return found


def is_anybody_stopped(connection: Connection, now: datetime) -> bool:
    """Whether the list names anybody at all; a product that has just begun need not look anybody up."""
    return (
        connection.execute(select(suppressions.c.scope).where(suppressions.c.lifted_at > now).limit(1)).first()
        is not None
    )


def widest(names: Iterable[str], stopped: Mapping[str, No]) -> No | None:
    """Say why one person is not mailed whom the list may know by several names; None: they may be."""
    found = {stopped[name] for name in names if name in stopped}
    return "suppressed" if "suppressed" in found else "said_no" if found else None


def page(connection: Connection, after: tuple[str, str] | None, limit: int, now: datetime) -> Sequence[Suppression]:
    """List the next suppressions that hold, in the order of their keys, behind the last of the page before."""
    query = select(*COLUMNS).where(suppressions.c.lifted_at > now)
    if after is not None:
        recipient, scope = after
        is_next = (suppressions.c.recipient > recipient) | (
            (suppressions.c.recipient == recipient) & (suppressions.c.scope > scope)
        )
        query = query.where(is_next)
    rows = connection.execute(query.order_by(suppressions.c.recipient, suppressions.c.scope).limit(limit))
    return [Suppression(*row) for row in rows]


def _holding(recipients: Collection[str], scopes: Collection[Scope], now: datetime) -> ColumnElement[bool]:
    return (
        suppressions.c.recipient.in_(recipients) & suppressions.c.scope.in_(scopes) & (suppressions.c.lifted_at > now)
    )


def _row(one: Suppression) -> dict[str, object]:
    return {
        "recipient": one.recipient,
        "scope": one.scope,
        "lifted_at": one.until,
        "since": one.since,
        "reason": one.reason,
        "source": one.source,
        "address": one.address,
    }


def _at_once(many: Iterable[Item]) -> Iterator[list[Item]]:
    rest = iter(many)
    while some := list(islice(rest, AT_ONCE)):
        yield some
