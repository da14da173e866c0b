"""Counting what goes wrong, and saying it to the log once a minute: a database that is away must not fill a disk."""

import itertools
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

LOG = logging.getLogger("skene_dagster")

EVERY = 60.0
"""Seconds between two lines of one kind."""


class Tally:
    """A count that any thread adds to and none waits for; whoever reads it may see a moment ago."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self._last = (0, "")
        self._told = 0

    def add(self, words: str = "") -> None:
        """Count one, and keep what is to be said of it."""
        # `next` is one step of the interpreter: no two threads get the same number.
        self._last = (next(self._numbers), words)

    def news(self) -> tuple[int, str]:
        """Return how many came since this was asked last, and the words of the last one."""
        number, words = self._last
        new, self._told = number - self._told, max(number, self._told)
        return max(new, 0), words


@dataclass(frozen=True)
class Kind:
    """A kind of thing that goes wrong."""

    level: int
    sentence: str
    """With `{many}` and `{words}`."""


@dataclass
class _Noted:
    many: int = 0
    words: str = ""
    said_at: float | None = None


class Seldom:
    """Says each kind of thing at most every `every` seconds, with how many there were since it was said last."""

    def __init__(self, every: float = EVERY, clock: Callable[[], float] = time.monotonic) -> None:
        self._every = every
        self._clock = clock
        self._noted: dict[Kind, _Noted] = {}

    def note(self, kind: Kind, many: int, words: str = "") -> None:
        """Keep that it happened so many times; nothing is said yet."""
        if many:
            noted = self._noted.setdefault(kind, _Noted())
            noted.many += many
            noted.words = words

    def tell(self, *, at_once: bool = False) -> None:
        """Log what is due, or all there is."""
        now = self._clock()
        for kind, noted in self._noted.items():
            due = noted.said_at is None or now - noted.said_at >= self._every
            if noted.many and (due or at_once):
                LOG.log(kind.level, kind.sentence.format(many=f"{noted.many:,}", words=noted.words))
                noted.many, noted.said_at = 0, now
