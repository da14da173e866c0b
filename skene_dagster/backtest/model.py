"""What a backtest finds."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime


@dataclass
class StepReplay:
    """What a step would have done."""

    step: str
    came_in: set[object] = field(default_factory=set)
    """Who entered its segment, or had a row that triggered it."""
    mailed: dict[object, list[datetime]] = field(default_factory=dict)
    """Whom it would have mailed, and at which ticks."""
    held_out: dict[object, datetime] = field(default_factory=dict)
    """Whom it would have held out, and when first."""
    last_reason: dict[object, str] = field(default_factory=dict)
    """Why somebody was not mailed when they were decided about last: `skipped:once`, `deferred:cap`."""
    outcomes: dict[datetime, Counter[str]] = field(default_factory=dict)
    """By tick, how many by outcome, as `Reserved.counts` has them."""
    capped: set[tuple[object, str]] = field(default_factory=set)
    """Whom a cap had wait at least once, and for which entry."""
    how_exact: str = ""
    is_of_then: bool = True
    """Whom it selected is known of that time, and not taken from tables as they are today."""
    not_replayed: str = ""
    """Why nothing is known of it; empty: it was replayed."""

    @property
    def mails(self) -> int:
        """How many emails it would have sent."""
        return sum(len(ticks) for ticks in self.mailed.values())


@dataclass(frozen=True)
class Overlap:
    """What another loop sent to the same people."""

    loop: str
    people: int
    """Who had an email of it within seven days of one of these."""


@dataclass(frozen=True)
class Backtest:
    """A loop over past days."""

    loop: str
    mode: str
    since: datetime
    until: datetime
    holdout: float
    """The share that is held out of the loop."""
    steps: Sequence[StepReplay]
    overlaps: Sequence[Overlap]
    mails_a_person: float
    most_a_person: int
    mails_with_all: float
    """Emails a person with those of all other loops in that time."""
    most_with_all: int
    really_mailed: frozenset[object]
    """Who was mailed by the loop itself in that time."""
    has_arms: bool
    """Whether the coin could be tossed."""
    notes: Sequence[str] = ()
    """What was not replayed, beside what each step says."""

    @property
    def came_in(self) -> set[object]:
        """Who came into any of its segments."""
        return set().union(*(one.came_in for one in self.steps))

    @property
    def mailed(self) -> set[object]:
        """Whom it would have mailed."""
        return set().union(*(one.mailed for one in self.steps))

    @property
    def held_out(self) -> set[object]:
        """Whom it would have held out."""
        return set().union(*(one.held_out for one in self.steps))

    @property
    def unmailed(self) -> dict[object, datetime]:
        """Who really had no email of the loop in that time, and since when they would have been mailed or held out."""
        first: dict[object, datetime] = {}
        for one in self.steps:
            for key, ticks in [*one.mailed.items(), *((key, [tick]) for key, tick in one.held_out.items())]:
                first[key] = min([*ticks, *([first[key]] if key in first else [])])
        return {key: tick for key, tick in first.items() if key not in self.really_mailed}

    @property
    def no_mail(self) -> Mapping[str, int]:
        """Of those who came in, who would neither be mailed nor held out, by the last reason."""
        reasons: dict[object, str] = {}
        for one in self.steps:
            reasons = {**one.last_reason, **reasons}
        rest = self.came_in - self.mailed - self.held_out
        return Counter(reasons.get(key, "undecided") for key in rest)
