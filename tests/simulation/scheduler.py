"""Actors that take turns in one thread, on a clock that only they move; one may die or be suspended at any point.

A turn is given up where something of the world comes in: at the database's statements, at each pause, around a
request. Who goes on is a choice, and so is who dies.
"""

import heapq
import itertools
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from choices import Choices
from greenlet import GreenletExit, getcurrent, greenlet

from skene_dagster.errors import SkeneError

START = datetime(2026, 3, 2, 9)

A_MOMENT = timedelta(microseconds=700)
"""What passes between two points, lest two attempts carry one moment."""

SLEEPS = (15.0, 40.0, 75.0, 200.0, 88_200.0)
"""How long a process may be suspended, in seconds; a day only where no request is about to leave."""


class Killed(BaseException):
    """The process is gone; nothing of the product's catches it."""


class Violation(BaseException):
    """Something that must never be, of a kind; nothing of the product's catches it."""

    def __init__(self, kind: str, details: str = "") -> None:
        super().__init__(f"{kind}: {details}" if details else kind)
        self.kind = kind


@dataclass(frozen=True)
class Trouble:
    """How likely a process meets what: drawn once for a history."""

    kill: float
    suspend: float
    database: float
    call: float


class Actor(greenlet):
    """One process: a run, an attempt of an op, a person at the command line."""

    def __init__(self, scheduler: "Scheduler", name: str, work: Callable[[], None]) -> None:
        super().__init__(self._live, parent=scheduler.hub)
        self.scheduler, self.name, self._work = scheduler, name, work
        self.wake = scheduler.now
        self.is_blocked = self.is_dead = self.is_over = False
        self.points = self.begins = self.commits = 0
        self.stood_still = 0.0
        self.on_commit: Callable[[], None] = _nothing
        """What is true from its next COMMIT on."""
        self.is_late = False
        """Its transaction has no lock yet (late locks)."""
        self.resolves = False
        """It does not know whether its last COMMIT happened."""
        self.looked_at = scheduler.now
        """When its last transaction began that was no second one about the outcome of the first."""
        choices, trouble = scheduler.choices, scheduler.trouble
        self.kill_at = choices.pick(f"kill:{name}", 360, trouble.kill)
        self.suspend_at = choices.pick(f"suspend:{name}", 360, trouble.suspend)
        self.lost_commit = choices.pick(f"commit:{name}", 100, trouble.database)
        """Odd: the COMMIT happens, and its answer is lost; even: it does not happen."""
        self.busy_at = choices.pick(f"busy:{name}", 50, trouble.database / 2)

    def committed(self) -> None:
        """Its COMMIT has happened, whether it hears of it or not."""
        happened, self.on_commit = self.on_commit, _nothing
        happened()

    def _live(self) -> None:
        try:
            self._work()
        except (Killed, GreenletExit):
            self.scheduler.say(self.name, "is dead")
        except SkeneError as error:
            self.scheduler.say(self.name, f"ends: {error}")
        except Violation:
            raise
        except Exception as error:
            raise Violation(f"what escapes is {type(error).__name__}", str(error)) from error
        finally:
            self.is_over = True
            self.scheduler.unlock(self)


class Scheduler:
    """Whose turn it is, and what time."""

    def __init__(self, choices: Choices, trouble: Trouble) -> None:
        self.hub: Any = getcurrent()
        self.choices, self.trouble = choices, trouble
        self.now = START
        self.told: list[str] = []
        self.switching = (0.35, 0.1, 0.03)[choices.pick("switching", 3, 0.5)]
        """How likely another goes on where one may."""
        self.is_well = False
        """Nobody dies any more, and nothing breaks."""
        self._actors: list[Actor] = []
        self._named: dict[str, int] = {}
        self._next: Actor | None = None
        self._locked_by: Actor | None = None
        self._due: list[tuple[datetime, int, Callable[[], None]]] = []
        self._count = itertools.count()

    @property
    def me(self) -> Actor:
        """Who has the turn."""
        actor = getcurrent()
        assert isinstance(actor, Actor)
        return actor

    def clock(self) -> datetime:
        return self.now

    def later(self, seconds: float) -> datetime:
        return self.now + timedelta(seconds=seconds)

    def monotonic(self) -> float:
        return (self.now - START).total_seconds() - self.me.stood_still

    def say(self, who: str, what: str) -> None:
        self.told.append(f"{self.now - START!s:>22} {who:>8} {what}")

    def spawn(self, name: str, work: Callable[[], None]) -> None:
        """Let another actor begin, at its turn."""
        number = self._named[name] = self._named.get(name, 0) + 1
        self._actors.append(Actor(self, f"{name}{number}", work))

    def point(self, where: str, *, free: bool = True, holds: bool = False) -> None:
        """Here the actor may be killed; where it is `free`, another go on; where it `holds` no lock, be suspended."""
        me = self.me
        if me.is_dead:
            raise Killed
        me.points += 1
        self.advance(self.now + A_MOMENT)
        if me.points == me.kill_at:
            self.say(me.name, f"KILLED at {where}")
            me.is_dead = True
            raise Killed
        if not free:
            return
        if me.suspend_at and me.points >= me.suspend_at and not holds:
            me.suspend_at = 0
            self._suspend(me, where)
        else:
            self._may_switch(me)

    def sleep(self, seconds: float) -> None:
        """Let others go on until so much time has passed."""
        me = self.me
        if not me.is_dead:
            me.wake = self.now + timedelta(seconds=max(seconds, 0.0))
            self.hub.switch()
        if me.is_dead:
            raise Killed

    def lock(self) -> None:
        """Become the one writer; who has to wait for it is not able to go on."""
        me = self.me
        while self._locked_by not in (None, me):
            me.is_blocked = True
            self.hub.switch()
        if me.is_dead:
            raise Killed
        self._locked_by = me

    def unlock(self, actor: Actor) -> None:
        """Let another become the one writer, if this one was."""
        if self._locked_by is actor:
            self._locked_by = None
            for other in self._actors:
                other.is_blocked = False

    def at(self, due: datetime, happens: Callable[[], None]) -> None:
        """Have something happen when its time has come, whoever has the turn then."""
        heapq.heappush(self._due, (due, next(self._count), happens))

    def advance(self, to: datetime) -> None:
        """Let time pass; what is due on the way happens."""
        while self._due and self._due[0][0] <= to:
            due, _, happens = heapq.heappop(self._due)
            self.now = max(self.now, due)
            happens()
        self.now = max(self.now, to)

    def run(self, until: datetime | None = None) -> None:
        """Let all go on until each has ended, or sleeps past `until`."""
        while True:
            self._actors = [actor for actor in self._actors if not actor.is_over]
            able = self._able()
            if able:
                chosen = self._next if self._next in able else able[self.choices.pick("next", len(able), 0.5)]
                self._next = None
                chosen.switch()
                continue
            if not self._actors:
                return
            asleep = min((actor.wake for actor in self._actors if not actor.is_blocked), default=None)
            assert asleep is not None, "all wait for the lock of one that is gone"
            if until is not None and asleep > until:
                return
            self.advance(asleep)

    def be_well(self) -> None:
        """From now on nobody dies or is suspended, and nothing breaks."""
        self.is_well = True
        self.trouble = Trouble(0.0, 0.0, 0.0, 0.0)
        for actor in self._actors:
            actor.kill_at = actor.suspend_at = actor.lost_commit = actor.busy_at = 0

    def kill_all(self) -> None:
        """Kill who is left, so that nothing of theirs stays open."""
        for actor in self._actors:
            actor.is_dead = True
            while actor and not actor.dead:
                actor.throw(Killed)
        self._actors = []

    def _able(self) -> list[Actor]:
        return [one for one in self._actors if one.wake <= self.now and not one.is_blocked and not one.is_over]

    def _may_switch(self, me: Actor) -> None:
        others = [actor for actor in self._able() if actor is not me]
        if others and (choice := self.choices.pick(f"turn:{me.name}", len(others) + 1, self.switching)):
            self._next = others[choice - 1]
            self.hub.switch()
            if me.is_dead:
                raise Killed

    def _suspend(self, me: Actor, where: str) -> None:
        most = len(SLEEPS) - (where == "POST")
        seconds = SLEEPS[self.choices.pick(f"sleeps:{me.name}", most, 0.8)]
        if self.choices.yes(f"machine:{me.name}", 0.5):
            # The whole machine sleeps: its monotonic clock stands still.
            me.stood_still += seconds
        self.say(me.name, f"is suspended for {seconds:g} s at {where}")
        self.sleep(seconds)


def _nothing() -> None:
    return
