"""What `backtest` prints."""

import textwrap
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import median

from skene_dagster.backtest.backtest import A_WEEK
from skene_dagster.backtest.model import Backtest
from skene_dagster.cli.screen import Screen
from skene_dagster.durations import duration_text
from skene_dagster.explain.reasons import reason_in_words
from skene_dagster.loops.plan import GoalPlan, LoopPlan
from skene_dagster.outcomes import words
from skene_dagster.outcomes.foreseen import ASSUMED
from skene_dagster.wording import how_many, percent

_NAME, _PEOPLE, _MAILS, _TYPICAL, _MOST = 25, 8, 9, 19, 12
"""The widths of the table's columns."""

_HEAD = 12
"""The width of a part's name."""

_FEW = 20
"""Of how few people it is not said how many reach the goal by themselves."""


@dataclass(frozen=True)
class Measurable:
    """What can be measured with so many."""

    mailed: int
    held_out: int
    by_themselves: tuple[int, int] | None
    """How many reached the goal unmailed, and of how many; None: it is not known."""
    smallest_effect: float
    """As a share; infinite where nothing can be compared."""


def tell(screen: Screen, found: Backtest, plan: LoopPlan, measurable: Measurable) -> None:
    """Print what a loop would have done."""
    days = (found.until.date() - found.since.date()).days + 1
    said = f"{found.loop} as its file is now, over {how_many(days, 'day')}. Nothing was sent, nothing written."
    screen.paragraph(said, style="bold")
    screen.line()
    _table(screen, found, measurable)
    screen.line()
    _part(screen, "OVERLAP", _overlap(found, plan))
    _part(screen, "MEASURABLE", [_measurable(plan, measurable)])
    _part(screen, "HOW EXACT", _how_exact(found))


def _table(screen: Screen, found: Backtest, measurable: Measurable) -> None:
    head = f"{'people':>{_PEOPLE}}{'mails':>{_MAILS}}{'a week: typical':>{_TYPICAL}}{'most':>{_MOST - 3}}"
    screen.line(f"{'':{_NAME}}{head}", "bold")
    _row(screen, "  came into the segment", len(found.came_in))
    every = [tick for one in found.steps for ticks in one.mailed.values() for tick in ticks]
    _row(screen, "  would be mailed", len(found.mailed), every, found)
    if len(found.steps) > 1:
        for one in found.steps:
            if one.not_replayed:
                screen.line(f"    {one.step}: not replayed")
            else:
                _row(
                    screen,
                    f"    {one.step}",
                    len(one.mailed),
                    [tick for some in one.mailed.values() for tick in some],
                    found,
                )
    if found.holdout:
        if found.has_arms:
            _row(screen, f"  held out ({percent(found.holdout).replace('%', ' %')})", measurable.held_out)
        else:
            # Who it is only the coin of the first run says: they are among those above.
            _row(screen, "  of them held out", f"about {measurable.held_out:,}")
    if found.no_mail:
        _row(screen, "  no mail", sum(found.no_mail.values()), after=_reasons(found.no_mail))
    if found.mailed:
        said = (
            f"at most {found.most_a_person}; with all loops {found.mails_with_all:.1f}, at most {found.most_with_all}"
        )
        _row(screen, "  mails a person", f"{found.mails_a_person:.1f}", after=said)


def _row(
    screen: Screen,
    name: str,
    people: int | str,
    mails: Sequence[datetime] | None = None,
    found: Backtest | None = None,
    *,
    after: str = "",
) -> None:
    shown = people if isinstance(people, str) else f"{people:,}"
    line = f"{name:<{_NAME}}{shown:>{_PEOPLE}}"
    if mails is not None and found is not None:
        typical, most, week = _weeks(mails, found)
        when = f" ({week.day} {week:%b})" if mails else ""
        line += f"{len(mails):>{_MAILS},}{typical:>{_TYPICAL - 3},}{most:>{_MOST},}{when}"
    if not after:
        screen.line(line)
        return
    indent = len(line) + 4
    lines = textwrap.wrap(after, screen.width - indent, break_long_words=False)
    screen.line(f"{line}    {lines[0]}")
    for more in lines[1:]:
        screen.line(f"{'':{indent}}{more}")


def _weeks(mails: Iterable[datetime], found: Backtest) -> tuple[int, int, datetime]:
    """Return the mails of a typical week, of the one with most, and when that began; weeks begin with the first day."""
    counted = Counter((tick - found.since) // A_WEEK for tick in mails)
    whole = max(1, (found.until - found.since) // A_WEEK)
    typical = median(counted[number] for number in range(whole))
    number, most = max(counted.items(), key=lambda item: (item[1], -item[0]), default=(0, 0))
    return round(typical), most, found.since + number * A_WEEK


def _reasons(reasons: Mapping[str, int]) -> str:
    told = []
    for outcome, people in sorted(reasons.items(), key=lambda item: (-item[1], item[0])):
        told.append(f"{reason_in_words(outcome)} {people:,}")
    return " · ".join(told)


def _overlap(found: Backtest, plan: LoopPlan) -> list[str]:
    told = []
    if found.overlaps:
        first, *others = found.overlaps
        more = "".join(f", {one.people:,} of {one.loop}" for one in others)
        told.append(f"{how_many(first.people, 'person', 'people')} had an email of {first.loop} within 7 days{more}.")
    else:
        told.append("Nobody whom it would mail had an email of another loop within 7 days.")
    if capped := sum(len(one.capped) for one in found.steps):
        told.append(
            f"The cap would have {how_many(capped, 'of these mails', 'of these mails')} wait, or stopped them; "
            f"{plan.name} has priority {plan.priority}."
        )
    return told


def _measurable(plan: LoopPlan, found: Measurable) -> str:
    if not plan.holdout:
        return "no: nobody is held out. Set `holdout: 10%` in the loop's file."
    if found.smallest_effect >= 1:
        return f"no: {words.smallest(found.smallest_effect)}."
    said = f"yes: {found.held_out:,} held out show a difference of {words.points(found.smallest_effect)} or more"
    if found.by_themselves is None or not plan.goals:
        return f"{said}, if {100 * ASSUMED:g} of 100 reach the goal anyway."
    goal, (did, of) = plan.goals[0], found.by_themselves
    if of < _FEW:
        return f"{said}."
    by_themselves = f"{words.of_a_hundred(did / of)} % {_did(goal)} by themselves"
    return f"{said} ({by_themselves} within {duration_text(goal.within)})."


def _did(goal: GoalPlan) -> str:
    return {
        "returns": "come back",
        "event": f"do “{goal.value}”",
        "feature": f"adopt {goal.value}",
        "level": f"are {goal.value}",
        "query": "reach the goal",
    }[goal.kind]


def _how_exact(found: Backtest) -> list[str]:
    several = len({one.how_exact for one in found.steps}) > 1
    told = []
    for one in found.steps:
        said = f"not replayed, {one.not_replayed}" if one.not_replayed else one.how_exact
        sentence = f"{one.step}: {said}." if several or one.not_replayed else f"{said[:1].upper()}{said[1:]}."
        if sentence not in told:
            told.append(sentence)
    return [*told, *(f"{note[:1].upper()}{note[1:]}." for note in found.notes)]


def _part(screen: Screen, name: str, sentences: Sequence[str]) -> None:
    lines = textwrap.wrap(" ".join(sentences), screen.width - _HEAD, break_long_words=False, break_on_hyphens=False)
    screen.line(f"{name:<{_HEAD}}{lines[0]}")
    for line in lines[1:]:
        screen.line(f"{'':{_HEAD}}{line}")
