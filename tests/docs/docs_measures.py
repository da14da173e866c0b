"""What the pages show of `diff` and `backtest`: printed by them, of figures that are made up."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from docs_pages import ROOT

from skene_dagster.backtest.model import Backtest, Overlap, StepReplay
from skene_dagster.cli.measure import backtest_words, diff_words
from skene_dagster.cli.measure.backtest_words import Measurable
from skene_dagster.cli.screen import Screen
from skene_dagster.loops.plan import AtLevel, GoalPlan, LoopPlan, Query, StepPlan
from skene_dagster.loops.triggers import Schedule
from skene_dagster.project import load_project
from skene_dagster.settings import Settings, load
from skene_dagster.versions.changes import Change, Side
from skene_dagster.versions.effects import Effect, Effects, FirstTick
from skene_dagster.versions.inside import Inside
from skene_dagster.versions.pressure import Pressure

Print = Callable[[Callable[[Screen], None]], str]


def _loop(settings: Settings, name: str) -> LoopPlan:
    return next(plan for plan in load_project(settings).loops if plan.name == name)


def changed_loops(printed: Print) -> str:
    settings = load(ROOT, {})
    plan = _loop(settings, "win_back")
    nudge, last_call = plan.steps
    asked = _loop(settings, "retention").steps[0]
    assert isinstance(asked.condition, Query)
    new = replace(asked, name="main", trigger=Schedule("0 9 2 1 *", "UTC"))
    later = replace(nudge, condition=AtLevel("slipping", timedelta(days=1)))
    steps = (
        Effect(
            Change("win_back", "nudge", "changed", _side(settings, plan, nudge), _side(settings, plan, later),
                   {"who": "level dormant → slipping for 1d"}, selects_otherwise=True),
            Inside(8104, 9871, 1767, 0),
            come_in=(812, 4410, 5127, 9003, 9964),
            mails=3120,
            mails_then=4480,
            first_tick=FirstTick({"mail": 1590, "held_out": 177}, {}),
        ),
        Effect(
            Change("win_back", "last_call", "changed", _side(settings, plan, last_call),
                   _side(settings, plan, last_call), {"the mail": "subject, text"}),
            mails=1204,
        ),
        Effect(
            Change("new_year", "main", "new", None, _side(settings, plan, new), selects_otherwise=True),
            Inside(None, 41200, 41200, 0),
            first_tick=FirstTick(
                {"mail": 37080, "held_out": 4120},
                {},
                "It never mailed anybody, and would now send 37,080 emails (limits.first_wave is 1,000).",
            ),
        ),
    )  # fmt: skip
    felt = Pressure({0: 61_000, 1: 28_000, 2: 11_000}, {0: 38_000, 1: 41_000, 2: 21_000})
    found = Effects(datetime(2026, 11, 30, 9), "live", steps, felt)
    return printed(lambda screen: diff_words.tell(screen, found, [], "main"))


def _side(settings: Settings, plan: LoopPlan, step: StepPlan) -> Side:
    return Side(settings, plan, step)


def replayed_loop(printed: Print) -> str:
    plan = replace(
        _loop(load(ROOT, {}), "win_back"),
        holdout=0.1,
        priority=10,
        goals=(GoalPlan("returns", "", timedelta(days=14), "returns"),),
    )
    since = datetime(2026, 9, 1)
    nudge, last_call = StepReplay("nudge"), StepReplay("last_call")
    for person in range(12_480):
        nudge.came_in.add(person)
        tick = since + timedelta(days=(person * 7) % 90, hours=9)
        if person < 1208:
            nudge.held_out[person] = tick
        elif person < 12_110:
            nudge.mailed[person] = [tick]
            if person < 8546:
                last_call.mailed[person] = [tick + timedelta(days=7)]
        else:
            nudge.last_reason[person] = "skipped:said_no" if person < 12_311 else "deferred:invalid_address"
    nudge.outcomes[since] = Counter()
    nudge.capped = {(person, "1") for person in range(340)}
    nudge.how_exact = last_call.how_exact = "levels: exact since 04 Aug 2026; before, as far as they were found then"
    notes = (
        "addresses, plans and “no”s: as they are today",
        "pauses, gates and approvals: not replayed",
        "what the mail itself would have changed: not replayed",
    )
    found = Backtest(
        "win_back", "live", since, since + timedelta(days=90, seconds=-1), 0.1, (nudge, last_call),
        (Overlap("activation", 812), Overlap("milestones", 96)), 1.7, 4, 2.3, 7, frozenset(), has_arms=True,
        notes=notes,
    )  # fmt: skip
    measurable = Measurable(10_902, 1208, (109, 1208), 0.024)
    return printed(lambda screen: backtest_words.tell(screen, found, plan, measurable))
