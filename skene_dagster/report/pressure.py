"""Pressure: how many emails people get of all loops, who has had as many as a cap allows, and who waits for whom."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal, get_args

from sqlalchemy import Connection, func, select

from skene_dagster.delivery.decide import facts
from skene_dagster.delivery.ledger.looking_back import emails
from skene_dagster.delivery.ledger.looking_back import pressure as ledger
from skene_dagster.delivery.ledger.looking_back.pressure import AtCap, Filling, KeptFrom
from skene_dagster.delivery.ledger.reading import LONGEST_HOURS
from skene_dagster.loops.plan import LoopPlan
from skene_dagster.settings import Cap, Settings
from skene_dagster.wording import of_all

WEEK, MONTH = timedelta(days=7), timedelta(days=30)

MOST = 8
"""Emails from which on people are counted together."""

EXAMPLES = 5
"""Users who are named."""

Waits = Literal["cap", "outranked"]


@dataclass(frozen=True)
class Waiting:
    """Users who wait in a loop for other emails."""

    loop: str
    reason: Waits
    number: int
    users: Sequence[object]
    """Some of them."""


@dataclass(frozen=True)
class Pressure:
    """How much mail people get of all loops."""

    people: int
    """Who may be mailed."""
    week: Mapping[int, int]
    """How many of them had so many marketing emails in seven days."""
    month: Mapping[int, int]
    """In thirty."""
    caps: Sequence[tuple[Cap, AtCap]]
    waiting: Sequence[Waiting]
    kept: Sequence[KeptFrom]
    """Whose emails fill the caps of those who wait for room."""
    outranked: Sequence[KeptFrom]
    """To whom those leave their last place who are outranked."""


def read(
    connection: Connection,
    settings: Settings,
    plans: Sequence[LoopPlan],
    mode: str,
    now: datetime,
    waiting: Mapping[tuple[str, str, str], int],
    loop: str | None = None,
) -> Pressure:
    """Count it.

    Args:
        plans: all loops, for they share the people.
        waiting: how many are decided again later, by loop, step and reason.
        loop: who waits, and for whom, only where it is about this one.
    """
    with facts.mapped_by_settings(settings.users):
        them = facts.reachable(connection, settings.users, as_of=now)
        people = connection.execute(select(func.count()).select_from(them.subquery("them"))).scalar_one()
        week, month = emails.people_by_mails(connection, mode, them, since=[now - WEEK, now - MONTH])
    caps = settings.limits.caps
    full = [
        (cap, ledger.at_cap(connection, _filling(settings, mode, now, cap.within), cap.count, EXAMPLES)) for cap in caps
    ]
    waits = _waits(connection, mode, waiting)
    reasons = {one.reason for one in waits}
    kept: Sequence[KeptFrom] = ()
    if caps and "cap" in reasons:
        kept = ledger.kept_by_cap(connection, _filling(settings, mode, now, max(cap.within for cap in caps)))
    outranked = list(_outranked(connection, plans, mode)) if "outranked" in reasons else []
    found = Pressure(people, _with_none(week, people), _with_none(month, people), full, waits, kept, outranked)
    return found if loop is None else _about(found, loop)


def _filling(settings: Settings, mode: str, now: datetime, within: timedelta) -> Filling:
    since = now - within
    # An email leaves, at the latest, so long after it was decided; then it is skipped.
    return Filling(mode, since, since - settings.limits.expires_after - LONGEST_HOURS, by_ticks=mode == "outbox")


def filled_by(found: Pressure, loop: str) -> str:
    """Say which loops' emails fill the caps of those who wait in one: `win_back 60 %, its own 40 %`."""
    mine = [one for one in found.kept if one.loop == loop]
    total = sum(one.emails for one in mine)
    return ", ".join(f"{one.by if one.by != loop else 'its own'} {of_all(one.emails, total)}" for one in mine)


def _with_none(mails: Mapping[int, int], people: int) -> dict[int, int]:
    """Add those who had none; who had many are counted together."""
    counted: Counter[int] = Counter({0: people - sum(mails.values())})
    for number, of_it in mails.items():
        counted[min(number, MOST)] += of_it
    return dict(sorted(counted.items()))


def _waits(connection: Connection, mode: str, waiting: Mapping[tuple[str, str, str], int]) -> list[Waiting]:
    numbers: Counter[tuple[str, Waits]] = Counter()
    for (loop, _, reason), number in waiting.items():
        for one in get_args(Waits):
            if reason == one:
                numbers[loop, one] += number
    return [
        Waiting(loop, reason, number, ledger.some_who_wait(connection, mode, loop, reason, EXAMPLES))
        for (loop, reason), number in sorted(numbers.items(), key=lambda item: (-item[1], item[0]))
    ]


def _outranked(connection: Connection, plans: Sequence[LoopPlan], mode: str) -> Iterator[KeptFrom]:
    """Say for which loops of higher priority, in whose segments they are, users leave their last place."""
    priorities = {plan.name: plan.priority for plan in plans}
    found: Counter[tuple[str, str]] = Counter()
    for loop, segment, people in ledger.outranked(connection, mode):
        by = segment.partition(".")[0]
        if loop in priorities and priorities.get(by, priorities[loop]) > priorities[loop]:
            # In two segments of a loop they are counted once, as well as it is known.
            found[loop, by] = max(found[loop, by], people)
    for (loop, by), people in sorted(found.items()):
        yield KeptFrom(loop, by, people, 0)


def _about(found: Pressure, loop: str) -> Pressure:
    return replace(
        found,
        waiting=[one for one in found.waiting if one.loop == loop],
        kept=[one for one in found.kept if loop in (one.loop, one.by)],
        outranked=[one for one in found.outranked if loop in (one.loop, one.by)],
    )
