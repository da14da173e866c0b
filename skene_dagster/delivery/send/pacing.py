"""One pace for all runs that share a provider's account: a row that schedules their calls.

The generic cell rate algorithm (ITU-T I.371), a token bucket of one spare token written as a time: each call takes
the next free slot, and the one after it is an interval later. A run that dies wastes only the slot that it took; a
Dagster pool would lose a place for ever (seen 2026-11).
"""

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, Engine, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from skene_dagster.delivery.email.graphemes import cut
from skene_dagster.delivery.providers.base import RateLimit
from skene_dagster.store.engine import CLOCKS_DIFFER, Clock, transaction
from skene_dagster.store.tables import pacing

MARGIN = 0.99
"""Of the provider's limit: slots that come at its very rate come once too often in one of its windows when a few of
them are milliseconds late, and that call costs a second (seen 2026-11: 473 of 500 emails a second; with it, 490)."""


@dataclass(frozen=True)
class RateSlot:
    """When the provider may be called: after so many seconds, or not before `closed_until`, for this reason."""

    wait: float
    closed_until: datetime | None = None
    reason: str = ""

    @property
    def is_now(self) -> bool:
        """Whether the provider may be called at once."""
        return self.wait == 0 and self.closed_until is None


LONGEST_QUEUE = timedelta(minutes=2)
"""How far ahead the next free slot can be while the account is open: a run waits for its slot a minute at most."""

LONGEST_CLOSED = timedelta(days=1)
"""How long the account is closed at a time; then a call tries whether a quota is back."""


class Pacing:
    """The pace of one account.

    Args:
        account: what the limits are counted by; None for a provider without limits.
        share: of the provider's limit that the loops may use; the rest is for the product's own mail.
        starts_at: calls per second before the provider has said what it allows.
    """

    def __init__(self, engine: Engine, account: str | None, share: float, clock: Clock, starts_at: float) -> None:
        self._engine = engine
        self._account = account
        self._share = share
        self._clock = clock
        self._starts_at = starts_at
        self._known: float | None = None

    def take(self, connection: Connection) -> RateSlot:
        """Take the next free slot; the account's row is then locked until the transaction ends."""
        slot = None if self._account is not None else RateSlot(0.0)
        while slot is None:
            slot = self._take(connection)
        return slot

    def learn(self, limit: RateLimit | None) -> None:
        """Adapt to what an answer said of the limits."""
        if limit is None or self._account is None:
            return
        # Somebody else calls with this account: the share kept free for the product is in use, so make room.
        makes_room = limit.remaining is not None and limit.remaining < (1 - self._share) * limit.per_second
        if limit.per_second == self._known and not makes_room:
            return
        pause = timedelta(seconds=min(limit.reset, 1.0) if makes_room else 0.0)

        def write(connection: Connection) -> None:
            now = self._clock()
            connection.execute(update(pacing).where(self._row).values(per_second=limit.per_second))
            self._not_before(connection, now + pause)

        transaction(self._engine, write)
        self._known = limit.per_second

    def lasts(self, connection: Connection, calls: int) -> float:
        """Say how many seconds so many calls take, if nobody else makes any."""
        known = connection.execute(select(pacing.c.per_second).where(self._row)).scalar_one_or_none()
        return calls / ((known or self._starts_at) * self._share * MARGIN)

    def closed_until(self, connection: Connection) -> datetime | None:
        """Say until when the account is closed; None: it is open."""
        until = connection.execute(select(pacing.c.closed_until).where(self._row)).scalar_one_or_none()
        return until if _is_closed(until, self._clock()) else None

    def hold(self, until: datetime, reason: str, *, closes: bool) -> None:
        """Nobody calls before then (in LONGEST_CLOSED at most); `closes`: runs end rather than wait for it."""
        if self._account is None:
            return
        until = min(until, self._clock() + LONGEST_CLOSED)

        def write(connection: Connection) -> None:
            self._not_before(connection, until)
            if closes:
                closed = update(pacing).where(
                    self._row, or_(pacing.c.closed_until.is_(None), pacing.c.closed_until < until)
                )
                connection.execute(closed.values(closed_until=until, reason=cut(reason, 255)))

        transaction(self._engine, write)

    @property
    def _row(self) -> ColumnElement[bool]:
        return pacing.c.account == self._account

    def _not_before(self, connection: Connection, until: datetime) -> None:
        connection.execute(update(pacing).where(self._row, pacing.c.next_at < until).values(next_at=until))

    def _take(self, connection: Connection) -> RateSlot | None:
        """Take it; None if another run was faster."""
        now = self._clock()
        row = connection.execute(select(pacing).where(self._row)).one_or_none()
        if row is None:
            with suppress(IntegrityError), connection.begin_nested():
                fresh = {"account": self._account, "per_second": self._starts_at, "next_at": now}
                connection.execute(insert(pacing).values(fresh))
            return None
        self._known = row.per_second
        if _is_closed(row.closed_until, now):
            return RateSlot(0.0, row.closed_until, row.reason)
        interval = timedelta(seconds=1 / (row.per_second * self._share * MARGIN))
        # One unused interval may be made up for, so that a slow moment does not lower the rate.
        # Further ahead than it can be, it was written by a wrong clock.
        mine = max(row.next_at, now - interval) if row.next_at <= now + LONGEST_QUEUE else now
        taken = connection.execute(
            update(pacing)
            .where(self._row, pacing.c.next_at == row.next_at)
            .values(next_at=mine + interval, closed_until=None, reason=None)
        ).rowcount
        return RateSlot(max(0.0, (mine - now).total_seconds())) if taken else None


def _is_closed(until: datetime | None, now: datetime) -> bool:
    # Further ahead than it can be, it was written by a wrong clock.
    return until is not None and now < until <= now + LONGEST_CLOSED + CLOCKS_DIFFER
