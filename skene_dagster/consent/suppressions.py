"""The list of suppressions: whom which mail may not reach, since when, and why; what was lifted stays on record.

This module owns skene_suppressions.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from typing import Literal, TypeVar

from sqlalchemy import ColumnElement, Connection, RowMapping, and_, bindparam, insert, select, true, update

from skene_dagster.consent import erasures
from skene_dagster.store.tables import OPEN, suppressions

Scope = str
"""What a suppression stops: `all` email; `marketing`, which is all that the recipient did not ask for (`transactional:
true`); or a topic of it, `topic:<name>`."""

StopReason = Literal["suppressed", "said_no"]
"""Why somebody is not mailed: their address must get nothing; they want no marketing, or none of this topic."""

Reason = Literal["said_no", "bounce", "complaint", "provider", "manual"]

COMPLAINT: Reason = "complaint"

SCOPES: tuple[Scope, ...] = ("all", "marketing")
"""Those that no topic has to be named for."""

Item = TypeVar("Item")

LONGEST_SOURCE = 64
"""Characters of a source."""

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


def topic_scope(topic: str) -> Scope:
    """Return the scope of a "no" to one topic."""
    return f"topic:{topic}"


def is_topic_scope(text: str) -> bool:
    """Whether a text can be the scope of a topic, of one that is gone included."""
    return re.fullmatch(topic_scope("[a-z0-9_]{1,48}"), text) is not None


def suppress(connection: Connection, entries: Sequence[Suppression], now: datetime) -> list[Suppression]:
    """Add suppressions; return those that were not there, or that last longer than what was.

    What is not newer than a lift does not suppress again: whoever lifted it knew of it. The address of somebody who was
    erased of late is not written down.

    Raises:
        IntegrityError: another process adds one of them at this moment; do it again.
    """
    added: list[Suppression] = []
    if any(one.address is not None for one in entries) and (erased := erasures.names(connection)):
        entries = [replace(one, address=None) if one.recipient in erased else one for one in entries]
    for some in at_once(entries):
        changes = _changes(connection, some, now, lock=True)
        for change in changes:
            if change.row is not None:
                values: dict[str, object] = {"repeated_at": change.repeated_at}
                if change.is_added:
                    # An address that is known stays known.
                    values |= {name: value for name, value in _row(change.entry).items() if value is not None}
                elif change.is_graver:
                    values |= {"reason": change.entry.reason, "source": change.entry.source}
                connection.execute(update(suppressions).where(_key(change.row)).values(values))
        new = [_row(change.entry) | {"repeated_at": change.repeated_at} for change in changes if change.row is None]
        if new:
            connection.execute(insert(suppressions), new)
        added += [change.entry for change in changes if change.is_added]
    return added


def lacking(connection: Connection, entries: Sequence[Suppression], now: datetime) -> list[Suppression]:
    """Say which of some suppressions would be added."""
    every = (change for some in at_once(entries) for change in _changes(connection, some, now, lock=False))
    return list({(one.entry.recipient, one.entry.scope): one.entry for one in every if one.is_added}.values())


@dataclass(frozen=True)
class _Change:
    """What an entry changes."""

    entry: Suppression
    row: RowMapping | None
    """What holds already."""
    repeated_at: datetime

    @property
    def is_added(self) -> bool:
        """Whether nothing held, or for a shorter time."""
        return self.row is None or bool(self.entry.until > self.row["lifted_at"])

    @property
    def is_graver(self) -> bool:
        """Whether it becomes the reason of what holds: a complaint is lifted only by who says so."""
        return self.row is not None and self.row["reason"] != COMPLAINT == self.entry.reason


def _changes(connection: Connection, entries: Sequence[Suppression], now: datetime, *, lock: bool) -> list[_Change]:
    query = (
        select(suppressions)
        .where(suppressions.c.recipient.in_({one.recipient for one in entries}))
        .order_by(*suppressions.primary_key)
    )
    holds: dict[tuple[str, str], RowMapping] = {}
    lifted: dict[tuple[str, str], datetime] = {}
    # A lift at this moment ends first, or waits for the trace that is left on what holds.
    for known in connection.execute(query.with_for_update() if lock else query).mappings():
        if known["lifted_at"] > now:
            holds[known["recipient"], known["scope"]] = known
        elif known["lift_reason"] is not None:
            lifted[known["recipient"], known["scope"]] = known["lifted_at"]
    wanted: dict[tuple[str, str], Suppression] = {}
    newest: dict[tuple[str, str], datetime] = {}
    for one in entries:
        key: tuple[str, str] = (one.recipient, one.scope)
        if one.until <= now or (key in lifted and one.since <= lifted[key]):
            continue
        newest[key] = max(newest.get(key, one.since), one.since)
        if key not in wanted or _weight(one) > _weight(wanted[key]):
            wanted[key] = one
    changes = []
    for name, one in sorted(wanted.items()):
        row, said_at = holds.get(name), min(newest[name], now)
        change = _Change(one, row, said_at if row is None else max(said_at, row["repeated_at"]))
        if row is None or change.is_added or change.is_graver or change.repeated_at > row["repeated_at"]:
            changes.append(change)
    return changes


def _weight(one: Suppression) -> tuple[datetime, bool]:
    return one.until, one.reason == COMPLAINT


def lift(
    connection: Connection,
    recipients: Collection[str],
    reason: str,
    now: datetime,
    scopes: Collection[Scope] | None = None,
    *,
    complaints: bool = True,
) -> list[Suppression]:
    """Let mail reach recipients again; return what was lifted, which stays on record with the reason.

    What somebody says at this moment, after `now`, is not lifted.

    Args:
        scopes: None: every one.
        complaints: whether to lift those of people who complained, too.
    """
    lifted: list[Suppression] = []
    for some in at_once(sorted(set(recipients))):
        which = _holding(some, scopes, now) & (suppressions.c.repeated_at <= now)
        if not complaints:
            which &= suppressions.c.reason != COMPLAINT
        query = select(suppressions).where(which).order_by(*suppressions.primary_key).with_for_update()
        for row in connection.execute(query).mappings().all():
            connection.execute(update(suppressions).where(_key(row)).values(lifted_at=now, lift_reason=reason))
            lifted.append(Suppression(*(row[column.name] for column in COLUMNS)))
    return lifted


def _key(row: RowMapping) -> ColumnElement[bool]:
    return and_(*(column == row[column.name] for column in suppressions.primary_key))


# Built once, for to build it takes longer than to execute it. Each name is looked for once, not once for each scope.
_OF_THESE = select(suppressions.c.recipient, suppressions.c.scope, suppressions.c.lifted_at).where(
    suppressions.c.recipient.in_(bindparam("recipients", expanding=True))
)


def stopped(
    connection: Connection, recipients: Collection[str], scopes: Collection[Scope] | None, now: datetime
) -> dict[str, StopReason]:
    """Say which of some recipients an email may not reach, and why.

    Args:
        scopes: what stops it; None: any does.
    """
    found: dict[str, StopReason] = {}
    for some in at_once(sorted(set(recipients))):
        for recipient, scope, lifted_at in connection.execute(_OF_THESE, {"recipients": some}):
            if lifted_at <= now or not (scopes is None or scope in scopes):
                continue
            if scope == "all" or recipient not in found:
                found[recipient] = "suppressed" if scope == "all" else "said_no"
    return found


def held(connection: Connection, recipients: Collection[str], scopes: Collection[Scope], now: datetime) -> set[Scope]:
    """Say which of some scopes are stopped for one person, by whichever of their names."""
    query = select(suppressions.c.scope).where(_holding(recipients, scopes, now))
    return set(connection.execute(query).scalars())


def is_empty(connection: Connection) -> bool:
    """Whether nobody was ever on the list; a product that has just begun need not look anybody up."""
    return connection.execute(select(suppressions.c.scope).limit(1)).first() is None


def widest(names: Iterable[str], stopped: Mapping[str, StopReason]) -> StopReason | None:
    """Say why one person is not mailed whom the list may know by several names; None: they may be."""
    found = {stopped[name] for name in names if name in stopped}
    return "suppressed" if "suppressed" in found else "said_no" if found else None


def page(
    connection: Connection,
    after: tuple[str, str] | None,
    limit: int,
    now: datetime,
    scopes: Collection[Scope] | None = None,
) -> Sequence[Suppression]:
    """List the next suppressions that hold, in the order of their keys, behind the last of the page before.

    Args:
        scopes: None: every one.
    """
    query = select(*COLUMNS).where(suppressions.c.lifted_at > now, of_scopes(scopes))
    if after is not None:
        recipient, scope = after
        is_next = (suppressions.c.recipient > recipient) | (
            (suppressions.c.recipient == recipient) & (suppressions.c.scope > scope)
        )
        query = query.where(is_next)
    rows = connection.execute(query.order_by(suppressions.c.recipient, suppressions.c.scope).limit(limit))
    return [Suppression(*row) for row in rows]


def of_scopes(scopes: Collection[Scope] | None) -> ColumnElement[bool]:
    """Restrict suppressions to some scopes; None: to none of them."""
    return true() if scopes is None else suppressions.c.scope.in_(scopes)


def _holding(recipients: Collection[str], scopes: Collection[Scope] | None, now: datetime) -> ColumnElement[bool]:
    return suppressions.c.recipient.in_(recipients) & of_scopes(scopes) & (suppressions.c.lifted_at > now)


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


def at_once(many: Iterable[Item]) -> Iterator[list[Item]]:
    """Cut into as many as one statement takes."""
    rest = iter(many)
    while some := list(islice(rest, AT_ONCE)):
        yield some
