"""The report as a page: one file, without scripts, that a browser opens from a disk."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache, partial
from importlib import resources
from pathlib import Path
from types import MappingProxyType

from jinja2 import Environment, FunctionLoader, StrictUndefined, Template
from markupsafe import Markup

from skene_dagster.durations import duration_in_words
from skene_dagster.explain.reasons import REASONS
from skene_dagster.files import replacing
from skene_dagster.loops.plan import Block
from skene_dagster.loops.plan_words import how_often, to_whom, trigger, who
from skene_dagster.outcomes import goal_words, words
from skene_dagster.outcomes.comparisons import ArmSize, LoopOutcome
from skene_dagster.report import arrived, changed, charts, pressure
from skene_dagster.report.coming import Kind
from skene_dagster.report.mails.looks import DESKTOP, PHONE
from skene_dagster.report.numbers import DAYS, LoopNumbers, Numbers, StepNumbers
from skene_dagster.report.people import STATES, FeatureUse
from skene_dagster.store.keys import as_text
from skene_dagster.wording import how_many, in_words, of_all, percent

TITLE = "Growth loops"

FILE = Path(".skene") / "report.html"
"""Where it is, in the project."""

WEEK = timedelta(days=7)

KINDS: Mapping[Kind, str] = MappingProxyType(
    {
        "decided": "decided",
        "asked again": "asked again, at most",
        "follows": "after another email, at most",
    }
)
"""What is known of emails to come, in words."""


@dataclass(frozen=True)
class Reason:
    """Why so many got nothing."""

    words: str
    number: int
    part: float
    """Of the largest number of the loop, in per cent: the length of its bar."""
    users: Sequence[str]
    """Some of them, by their keys."""


@dataclass(frozen=True)
class Effect:
    """What came of a loop by one goal, in words."""

    did: str
    mailed: str
    held_out: str
    difference: str
    more: str
    verdict: str
    month: str
    """Of which the verdict and all numbers are but those that are provisional."""
    provisional: str
    smallest: str
    worth: str
    variants: Sequence[str]
    """How each variant of the emails does."""


@dataclass(frozen=True)
class Picture:
    """A step, as it is pictured: trigger, who, what, with the numbers of the last days on the way."""

    name: str
    when: str
    who: str
    what: str
    whom: str
    numbers: StepNumbers


def render(numbers: Numbers, *, title: str) -> str:
    """Write the page."""
    weeks = _weeks(numbers)
    changes = changed.by_day(numbers.versions)
    marks = [charts.Mark(one.day, one.number) for one in changes]
    emails = {one.plan.name: _by_week(numbers, one.plan.name, weeks) for one in numbers.loops}
    mailed = {loop: some for loop, some in emails.items() if sum(some)}
    effects = {one.plan.name: [_effect(outcome) for outcome in one.outcomes] for one in numbers.loops}
    compared = [("all loops", numbers.together), *((one.plan.name, one.outcomes) for one in numbers.loops)]
    intervals = [interval for name, found in compared for interval in _interval(name, found)]
    return _template().render(
        title=title,
        as_of=in_words(numbers.as_of),
        since=in_words(numbers.since),
        days=DAYS,
        mode=numbers.mode,
        problems=numbers.problems,
        loops=numbers.loops,
        effects=effects,
        all_loops=numbers.all_loops,
        together=[_effect(outcome) for outcome in numbers.together],
        verdicts={one.plan.name: _verdict(one) for one in numbers.loops},
        reasons={one.plan.name: _reasons(numbers, one) for one in numbers.loops},
        pictures={one.plan.name: [_picture(step) for step in one.steps] for one in numbers.loops},
        goals={one.plan.name: [goal_words.did(goal) for goal in one.plan.goals] for one in numbers.loops},
        chart_of_emails=charts.emails_by_week(weeks, mailed, marks) if mailed else None,
        chart_of_effects=charts.effects(intervals) if intervals else None,
        pressure=numbers.pressure,
        most_emails=pressure.MOST,
        filled_by=partial(pressure.filled_by, numbers.pressure),
        chart_of_pressure=charts.emails_a_person(
            numbers.pressure.week, numbers.pressure.month, numbers.pressure.people
        ),
        coming=numbers.coming,
        kinds_of_coming=KINDS,
        chart_of_coming=charts.emails_ahead(
            numbers.coming.days, {said: numbers.coming.of_kind(kind) for kind, said in KINDS.items()}
        ),
        people=numbers.people,
        chart_of_levels=charts.levels(numbers.people.days, numbers.people.sizes, marks) if numbers.people else None,
        chart_of_features=charts.adoption(_shares(numbers.people.features)) if numbers.people else None,
        weeks=weeks,
        emails=mailed,
        delivered={one.plan.name: _delivered(one) for one in numbers.loops},
        became=("bounced", "complained", "said_no", "clicked", "opened"),
        arrived={
            "loop": [arrived.Row(one.plan.name, one.came_back) for one in numbers.loops if one.came_back.accepted],
            "week from": arrived.by_week(numbers.days, weeks),
            "domain of the address": numbers.domains,
        },
        changes=changes,
        looks=numbers.looks,
        widths={"desktop": DESKTOP, "phone": PHONE},
        style=Markup(_file("report.css")),  # noqa: S704 - it is ours
    )


def save(numbers: Numbers, file: Path, *, title: str) -> int:
    """Write the page into a file that only its owner may read, and that is there when all of it is written.

    Returns:
        Its bytes.

    Raises:
        OSError: it cannot be written.
    """
    html = render(numbers, title=title).encode()
    with replacing(file, private=True) as opened:
        opened.write(html)
    return len(html)


def _weeks(numbers: Numbers) -> list[date]:
    first = numbers.since.date() + timedelta(days=1)
    return [first + n * WEEK for n in range(DAYS // 7)]


def _by_week(numbers: Numbers, loop: str, weeks: Sequence[date]) -> list[int]:
    emails = {day: n for (name, day), n in numbers.emails.items() if name == loop}
    return [sum(n for day, n in emails.items() if week <= day < week + WEEK) for week in weeks]


def _effect(found: LoopOutcome) -> Effect:
    lift, did = found.lift, goal_words.did(found.goal)
    difference = lift.difference
    worth = "" if found.worth is None else words.more_value(found.worth.lift, unit="", cap=found.worth.cap)
    return Effect(
        did,
        _of_arm(found.mailed),
        _of_arm(found.held_out),
        "" if difference is None else words.interval_in_points(difference),
        words.more_people(lift, did),
        words.verdict(lift, a_week=found.a_week),
        words.month_of(found.settled_at),
        words.provisional(found.today) if found.has_news else "",
        words.smallest(lift.smallest),
        worth,
        [
            f"{one.variant}: {words.verdict_on_variant(one, a_week=found.a_week)}"
            + (f", {words.interval_in_points(one.lift.difference)}" if one.lift.difference is not None else "")
            + (" against those held out" if one.against is None else f" against {one.against}")
            for one in found.variants
        ],
    )


def _of_arm(arm: ArmSize) -> str:
    if not arm.settled:
        return "nobody had had their full time"
    accounts = "" if arm.accounts is None else f", in {how_many(arm.accounts, 'account')}"
    share = words.of_a_hundred(arm.settled_reached / arm.settled)
    return f"{share} of 100 ({arm.settled_reached:,} of {arm.settled:,}{accounts})"


def _interval(name: str, outcomes: Sequence[LoopOutcome]) -> list[charts.Interval]:
    found = outcomes[0].lift.difference if outcomes and not outcomes[0].alarm else None
    if found is None:
        return []
    return [charts.Interval(name, 100 * found.low, 100 * found.estimate, 100 * found.high)]


def _shares(features: Sequence[FeatureUse]) -> Mapping[str, Mapping[str, int]]:
    return {one.title: {state: getattr(one.users, state) for state in STATES} for one in features}


def _delivered(one: LoopNumbers) -> str:
    """Say which part has arrived; nothing comes back from the outbox."""
    return percent(round(one.came_back.rate("delivered"), 3)) if one.came_back.delivered else "-"


def _verdict(one: LoopNumbers) -> str:
    if not one.plan.goals:
        return "not measured: no goal"
    if not one.plan.holdout:
        return "not measured: nobody is held out"
    first = one.outcomes[0]
    return words.verdict(first.lift, a_week=first.a_week)


def _reasons(numbers: Numbers, one: LoopNumbers) -> list[Reason]:
    found = sorted(one.got_nothing.items(), key=lambda item: -item[1])
    largest = max((n for _, n in found), default=1)
    return [
        Reason(
            REASONS.get(reason, reason.replace("_", " ")),
            n,
            100 * n / largest,
            [as_text(user) for user in numbers.examples.get((one.plan.name, reason), ())],
        )
        for reason, n in found
    ]


def _picture(numbers: StepNumbers) -> Picture:
    step = numbers.step
    blocks = f"blocks them: {step.action.message.rstrip('.')}" if isinstance(step.action, Block) else ""
    email = "" if step.email is None else f"email {step.email.template}, {how_often(step)}"
    what = "; ".join(part for part in (blocks, email) if part)
    return Picture(step.name, trigger(step), who(step.condition), what, to_whom(step), numbers)


@cache
def _template() -> Template:
    # Undefined names are our own mistakes.
    environment = Environment(
        loader=FunctionLoader(_file),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["number"] = lambda number: f"{number:,}"
    environment.filters["srcdoc"] = _srcdoc
    environment.filters["of_all"] = of_all
    environment.filters["duration"] = duration_in_words
    environment.filters["user"] = as_text
    environment.filters["moment"] = in_words
    environment.filters["trigger"] = trigger
    return environment.get_template("report.html")


def _srcdoc(html: str) -> Markup:
    """Write a document into an attribute between single quotes: with double ones it would be a third larger."""
    return Markup(html.replace("&", "&amp;").replace("'", "&#39;"))  # noqa: S704 - nothing else ends the attribute


def _file(name: str) -> str:
    return resources.files("skene_dagster.report").joinpath("templates").joinpath(name).read_text("utf-8")
