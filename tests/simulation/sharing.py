"""The judge of what loops share: the emails of a day, and the last place that a cap leaves somebody."""

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from eyes import Eyes
from product import BESIDE, Limits
from scheduler import START
from sqlalchemy import Row

from skene_dagster.delivery.ledger import StepScope

Violated = Callable[[str, str], None]

LAST_TICK, NOBODY_IS_LEFT_ANY = 9, 10
"""Of a day, by the hour; and from which on no loop is left emails because it may still decide."""

A_DAY = timedelta(days=1)

WARM_AFTER = 2
"""Days with emails on which nobody waits, after which a warm-up is over that made somebody wait before."""


@dataclass(frozen=True)
class Counted:
    """An email that counts for a day."""

    loop: str
    decided_at: datetime
    day: date


@dataclass(frozen=True)
class Before:
    """How things stood when a loop began to decide."""

    at: datetime
    wanted: frozenset[int]
    """Whom a loop of higher priority wants."""
    waited: frozenset[int]
    """Who waited already: some of them may have left their place to another before."""
    planned: frozenset[str]
    """The emails that had their place in a day."""


@dataclass
class Sharing:
    """What the loops of a history may take, and took."""

    eyes: Eyes
    limits: Limits
    scopes: Mapping[str, StepScope]
    """Of all loops, by name; the one that comes first has the first priority, the next one the other."""
    resends: Collection[str]
    """Loops that mail anew what may have left, at a risk."""
    refreshes_at_once: bool = True
    """Nobody enters a segment before all do. Of one that is being written for the first time nobody knows whether its
    loop may mail: no place is left to it."""
    counted: dict[str, Counted] = field(default_factory=dict)
    """What was accepted, by send id."""
    waited_on: date | None = None
    """The last day for which somebody is known to have waited for the warm-up."""
    entitled: dict[str, int] = field(default_factory=dict)
    """How many emails of the day each loop finds when it decides next, whatever the others have taken before it."""
    _noted: dict[str, Counted] = field(default_factory=dict)
    """By key."""
    _left: dict[tuple[str, int, str], datetime] = field(default_factory=dict)
    """Who left a place to another loop, and until when."""

    def __post_init__(self) -> None:
        # Of loops that have never decided nobody knows what they need: so each finds all of its share.
        if self.limits.has_budget and not self.limits.has_receipts:
            self.entitled = self.shares(START.date())

    def shares(self, day: date) -> dict[str, int]:
        """Split a day over the loops: one part for those of the lowest priority, two for those of the next one."""
        parts = dict(zip(self.scopes, _parts(self.limits.priorities), strict=False))
        total, whole = self.limits.total(day), sum(parts.values())
        split = {loop: total * part // whole for loop, part in parts.items()}
        for loop in sorted(parts, key=lambda one: (-parts[one], one))[: total - sum(split.values())]:
            split[loop] += 1
        return split

    def noted(self, key: str, row: Row[Any]) -> None:
        """Note for which day an email counts that is sent under a key."""
        if self.limits.has_budget:
            # What an author mails once more has the day of its first time.
            day = row.planned_on if row.loop in self.resends else (row.not_before or row.reserved_at).date()
            self._noted[key] = Counted(row.loop, row.reserved_at, day)

    def judge_accepted(self, send_id: str, key: str, violated: Violated) -> None:
        """Judge an email when it arrives: of no day may more arrive than it has, but for those that were asked for."""
        if not self.limits.has_budget or send_id in self.counted:
            return
        new = self.counted[send_id] = self._noted[key]
        of_the_day = [one for one in self.counted.values() if one.day == new.day]
        last = max((one.decided_at for one in of_the_day if BESIDE.get(one.loop, ("", "any"))[1]), default=datetime.min)  # noqa: DTZ901
        number = sum(one.decided_at <= last for one in of_the_day)
        if number > self.limits.total(new.day) and not self._is_warm(new.day):
            violated("more emails than a day has", f"{number} on {new.day}, not {self.limits.total(new.day)}")

    def before(self, loop: str, as_of: datetime, now: datetime) -> Before:
        """Look at what a loop finds that is about to decide."""
        higher = self._higher(loop)
        waits = self.eyes.put_off() if higher else []
        planned = self.eyes.planned() if self.limits.has_budget else []
        return Before(
            now,
            frozenset(self.eyes.wanted(self.scopes[higher], as_of) if higher else ()),
            frozenset(row.user_id for row in waits if row.loop == loop and row.reason not in ("cap", "budget")),
            frozenset(row.send_id for row in planned),
        )

    def judge_decided(
        self,
        loop: str,
        as_of: datetime,
        before: Before,
        now: datetime,
        *,
        is_alone: bool,
        was_paused: bool,
        violated: Violated,
    ) -> None:
        """Judge what a loop has just decided.

        Args:
            is_alone: no other loop was deciding in the meantime.
            was_paused: any loop is paused, or was: others may take what it would be left.
        """
        if self.limits.has_budget:
            self._judge_waiting(loop, before, now, is_alone=is_alone, was_paused=was_paused, violated=violated)
        # A place is left for a day, from the tick on: to a run that slept for longer nobody's is left any more.
        if not was_paused and self.refreshes_at_once and now - as_of < A_DAY:
            self._judge_last_places(loop, as_of, before, violated)

    def judge_waiting(self, now: datetime, violated: Violated) -> None:
        """Judge who waits, whenever that is: for a day at most, and once, and nobody for what they asked for."""
        for row in self.eyes.put_off():
            said = BESIDE.get(row.loop)
            if said is not None and not said[1] and row.reason in ("cap", "budget", "outranked", "quiet_hours"):
                violated("what was asked for waits", f"user {row.user_id}: {row.reason}")
            if row.reason == "budget" and self.limits.warm_up is not None:
                self._waits_on(row.as_of.date())
            if row.reason != "outranked":
                continue
            if row.ask_at > now + A_DAY:
                violated("a place is left for longer than a day", f"user {row.user_id}: until {row.ask_at}")
            left_before = self._left.setdefault((row.loop, row.user_id, row.occurrence), row.ask_at)
            if left_before != row.ask_at:
                violated("a place is left twice", f"user {row.user_id}: until {left_before}, and {row.ask_at}")

    def begins_a_day(self, now: datetime) -> None:
        """Note what each loop finds at the last tick of a day, of which nothing is planned yet."""
        is_planned = any(_day(row) == now.date() for row in self.eyes.planned())
        self.entitled = {}
        if self.limits.has_budget and not self.limits.has_receipts and now.hour == LAST_TICK and not is_planned:
            waiting = Counter(row.loop for row in self.eyes.put_off() if row.reason == "budget")
            self.entitled = {loop: min(share, waiting[loop]) for loop, share in self.shares(now.date()).items()}

    def _judge_waiting(
        self, loop: str, before: Before, now: datetime, *, is_alone: bool, was_paused: bool, violated: Violated
    ) -> None:
        """Who waits since then has found the day full; and their loop has had its share of it."""
        begun = before.at
        mine = [row for row in self.eyes.put_off() if row.loop == loop and row.decided_at >= begun]
        waits = [row for row in mine if row.reason == "budget"]
        day, entitled = now.date(), self.entitled.pop(loop, 0)
        if not waits or begun.date() != day:
            return
        if self.limits.warm_up is not None:
            self._waits_on(day)
        rows = self.eyes.planned()
        planned = Counter(row.loop for row in rows if _day(row) == day)
        number, total = planned.total(), self.limits.total(day)
        # Whose email turns out not to be one gives their place back: for the next tick.
        is_alone = is_alone and before.planned <= {row.send_id for row in rows}
        if is_alone and begun.hour >= NOBODY_IS_LEFT_ANY and number < total:
            violated("waits although the day has room", f"user {waits[0].user_id}: {number} of {total} on {day}")
        # Whose email could not be made has given their place back.
        has_all = not was_paused and now.hour < NOBODY_IS_LEFT_ANY and len(waits) == len(mine)
        if has_all and planned[loop] < entitled:
            violated("others have taken the share of a loop", f"{loop}: {planned[loop]} on {day}, not {entitled}")

    def _judge_last_places(self, loop: str, as_of: datetime, before: Before, violated: Violated) -> None:
        """Where one email is all that a cap allows, nobody gets it whom a loop of higher priority wants."""
        higher = self._higher(loop)
        if not higher or not before.wanted:
            return
        still = before.wanted & self.eyes.wanted(self.scopes[higher], as_of)
        left = {user for name, user, _ in self._left if name == loop}
        for row in self.eyes.sends().values():
            is_new = row.loop == loop and row.state == "reserved" and row.decided_at >= before.at
            if is_new and row.user_id in still - left - before.waited:
                violated("a place is taken that another loop wants", f"user {row.user_id}")

    def _higher(self, loop: str) -> str | None:
        """Name the loop that takes the last places before another one; None: there is none, or more than one place."""
        names, (first, second) = list(self.scopes)[:2], self.limits.priorities
        if first == second or not any(count == 1 for count, _ in self.limits.caps):
            return None
        highest, other = names if first > second else names[::-1]
        return highest if loop == other else None

    def _waits_on(self, day: date) -> None:
        self.waited_on = max(self.waited_on or day, day)

    def _is_warm(self, day: date) -> bool:
        if self.limits.warm_up is None or self.waited_on is None:
            return False
        since = self.waited_on
        days = {_day(row) for row in self.eyes.planned()} | {one.day for one in self.counted.values()}
        return sum(since < one < day for one in days) >= WARM_AFTER


def _parts(priorities: tuple[int, int]) -> list[int]:
    ranks = sorted(set(priorities))
    return [ranks.index(one) + 1 for one in priorities]


def _day(row: Row[Any]) -> date:
    planned: datetime = row.not_before or row.reserved_at
    return planned.date()
