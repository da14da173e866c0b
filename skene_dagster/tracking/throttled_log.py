"""Counting errors, and logging each kind once a minute: a database that is down must not fill a disk with log lines."""

import itertools
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

LOG = logging.getLogger("skene_dagster")

EVERY = 60.0
"""Seconds between two lines of one kind."""


class Tally:
    """A count that any thread can add to without waiting; a reader may see a slightly older value."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self._last = (0, "")
        self._told = 0

    def add(self, words: str = "") -> None:
        """Count one, and keep the words about it."""
        # `next` is atomic in the interpreter: no two threads get the same number.
        self._last = (next(self._numbers), words)

    def news(self) -> tuple[int, str]:
        """Return how many there were since the last call, and the words about the last one."""
        number, words = self._last
        new, self._told = number - self._told, max(number, self._told)
        return max(new, 0), words


@dataclass(frozen=True)
class Kind:
    """A kind of error."""

    level: int
    sentence: str
    """With `{many}` and `{words}`."""


@dataclass
class _Noted:
    many: int = 0
    words: str = ""
    said_at: float | None = None


class ThrottledLog:
    """Logs each kind at most once in `every` seconds, with how many there were since it was last logged."""

    def __init__(self, every: float = EVERY, clock: Callable[[], float] = time.monotonic) -> None:
        self._every = every
        self._clock = clock
        self._noted: dict[Kind, _Noted] = {}

    def note(self, kind: Kind, many: int, words: str = "") -> None:
        """Record that it happened so many times; nothing is logged yet."""
        if many:
            noted = self._noted.setdefault(kind, _Noted())
            noted.many += many
            noted.words = words

    def tell(self, *, at_once: bool = False) -> None:
        """Log what is due, or everything."""
        now = self._clock()
        for kind, noted in self._noted.items():
            due = noted.said_at is None or now - noted.said_at >= self._every
            if noted.many and (due or at_once):
                LOG.log(kind.level, kind.sentence.format(many=f"{noted.many:,}", words=noted.words))
                noted.many, noted.said_at = 0, now
