"""The judge of how often and when somebody is mailed: by the provider's log and the clocks on people's walls."""

from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from product import Limits
from scheduler import Scheduler

from skene_dagster.delivery.email.message import Message
from skene_dagster.delivery.ledger import StepScope

UTC = ZoneInfo("UTC")

FRESH = timedelta(minutes=5, seconds=10)
"""How old what was asked at freezing may be when an attempt begins; and what a transaction takes."""

SMALL_FIRST, SMALL_LARGE = 1, 2
"""Emails of the first slice, and of a wave that leaves at once, where there are eight users."""

APART = timedelta(minutes=30)
"""How long after a slice the next one leaves, which has twice as many."""

NEW = timedelta(days=30)
"""For how long a loop is new of which fewer than a large wave were accepted."""

Violated = Callable[[str, str], None]


@dataclass(frozen=True)
class Arrived:
    """An email that somebody got."""

    send_id: str
    at: datetime
    user: int
    loop: str
    as_of: datetime
    """The tick that decided it."""


@dataclass
class Manners:
    """What somebody may be asked to bear, and what they got."""

    scheduler: Scheduler
    limits: Limits
    arrived: defaultdict[str, list[Arrived]] = field(default_factory=lambda: defaultdict(list))
    """By address, in small letters: what mail programs take for one."""
    about: defaultdict[int, list[tuple[int, datetime]]] = field(default_factory=lambda: defaultdict(list))
    """What arrived about each account: for which of its occurrences, and when."""
    _ticks: dict[str, datetime] = field(default_factory=dict)
    """By key."""

    @property
    def has_hours(self) -> bool:
        """Whether anything is said about the time of day."""
        return bool(self.limits.quiet or self.limits.send_at)

    def noted(self, key: str, as_of: datetime) -> None:
        """Note which tick decided what is sent under a key."""
        self._ticks[key] = as_of

    def judge_about(self, account: int, occurrence: int, violated: Violated) -> None:
        """Judge how often an account gets an email, which may go to several, when one of them arrives."""
        got = self.about[account]
        got.append((occurrence, self.scheduler.now))
        for count, hours in self.limits.caps:
            since = self.scheduler.now - timedelta(hours=hours)
            if (number := len({one for one, at in got if at > since})) > count:
                violated("mailed about an account more often than a cap allows", f"{number} in {hours} hours")

    def judge_accepted(
        self,
        scope: StepScope,
        user: int,
        message: Message,
        key: str,
        violated: Violated,
        *,
        about_account: bool,
        gone: Collection[int],
    ) -> None:
        """Judge an email when it arrives.

        Args:
            gone: users who are erased, or will be: what they got counts no more.
        """
        mine = self.arrived[message.to.lower()]
        if any(one.send_id == message.send_id for one in mine):
            # Its author took the risk of a second one.
            return
        new = Arrived(message.send_id, self.scheduler.now, user, scope.loop, self._ticks[key])
        counted = [one for one in mine if one.user not in gone]
        for one in counted:
            if (one.user != user or about_account) and (one.loop, one.as_of) == (new.loop, new.as_of):
                violated("one address is mailed twice at a tick", f"{message.to}: users {one.user} and {user}")
        mine.append(new)
        if self.limits.is_sliced:
            self._judge_slices(new, violated)
        for count, hours in self.limits.caps:
            since = new.at - timedelta(hours=hours)
            if (number := sum(one.at > since for one in (*counted, new))) > count:
                violated("mailed more often than a cap allows", f"{message.to}: {number} in {hours} hours, not {count}")

    def _judge_slices(self, new: Arrived, violated: Violated) -> None:
        """Of a wave of a loop that has mailed few, no more may arrive than its slices have by then."""
        of_the_loop = [one for many in self.arrived.values() for one in many if one.loop == new.loop]
        since = new.as_of - NEW
        if sum(one.as_of != new.as_of and one.at > since for one in of_the_loop) >= SMALL_LARGE:
            return
        number = sum(one.as_of == new.as_of for one in of_the_loop)
        slices = (new.at - new.as_of) // APART + 1
        if number > max(SMALL_LARGE, SMALL_FIRST * (2**slices - 1)):
            violated("more leave at once than a slice has", f"{number} after {new.at - new.as_of}")

    def judge_hours(
        self, zones: Sequence[tuple[datetime, str | None]], as_of: datetime, at: datetime, who: str, violated: Violated
    ) -> None:
        """Judge an email that was never tried before, by when it was looked at last.

        Args:
            zones: the recipient's, and since when.
            as_of: the tick that decided it.
        """
        if self.limits.quiet is not None:
            since, zone = zones[-1]
            was = max(at - FRESH, since)
            if at - since > FRESH and self._is_quiet(at, zone) and self._is_quiet(was, zone):
                violated("mailed in their quiet hours", f"{who}, in {zone}: {_local(at, zone):%d %b %H:%M}")
        if self.limits.send_at is not None and not any(self._has_come(as_of, at, zone) for _, zone in zones):
            violated("mailed before the time of day that was said", f"{who}, in {zones[-1][1]}, {as_of} to {at}")

    def _is_quiet(self, at: datetime, zone: str | None) -> bool:
        assert self.limits.quiet is not None
        begin, end = self.limits.quiet
        now = _local(at, zone).time()
        return begin <= now < end if begin < end else now >= begin or now < end

    def _has_come(self, since: datetime, at: datetime, zone: str | None) -> bool:
        """Whether the time of day has come once since a moment."""
        assert self.limits.send_at is not None
        first = _local(since, zone)
        said = datetime.combine(first, self.limits.send_at, _zone(zone))
        if said.astimezone(UTC) < first.astimezone(UTC):
            said = datetime.combine(first + timedelta(days=1), self.limits.send_at, _zone(zone))
        return said.astimezone(UTC).replace(tzinfo=None) <= at


def _local(at: datetime, zone: str | None) -> datetime:
    return at.replace(tzinfo=timezone.utc).astimezone(_zone(zone))


def _zone(name: str | None) -> ZoneInfo:
    try:
        return ZoneInfo(name) if name else UTC
    except ZoneInfoNotFoundError:
        return UTC
