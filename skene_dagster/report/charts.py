"""The charts of the report: drawn once, as SVG that needs no script, in the colours of the page around it."""

import io
import logging
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import matplotlib as mpl
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from skene_dagster.settings.usage import Level

# 2026-11: it warns on its first run on a machine, about a cache that it then makes.
logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)

INK, QUIET = "#010101", "#020202"
"""Stand for the page's colours of text and of lines, which follow the reader's light or dark."""

SERIES = ("#030303", "#040404", "#050505", "#060606", "#070707", "#080808")
"""Stand for its colours of series, the last for all that come after."""

_VARIABLES = {INK: "ink", QUIET: "quiet", **{colour: f"series-{n}" for n, colour in enumerate(SERIES, start=1)}}

_STYLE: Mapping[Any, Any] = {
    "svg.fonttype": "none",  # text stays text: it can be searched, read aloud, and is a tenth of the size
    "svg.hashsalt": "skene",  # the same chart has the same bytes
    "font.family": "sans-serif",
    "font.size": 11,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": QUIET,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
}

_OPENING = r'<svg viewBox="\1" xmlns:xlink="http://www.w3.org/1999/xlink" role="img">'


@dataclass(frozen=True)
class Interval:
    """A difference with its interval, in points."""

    name: str
    low: float
    estimate: float
    high: float


@dataclass(frozen=True)
class Mark:
    """A day on which something changed, and its number in the list of what did."""

    day: date
    number: int


def emails_by_week(weeks: Sequence[date], emails: Mapping[str, Sequence[int]], marks: Sequence[Mark] = ()) -> Markup:
    """Draw how many emails there were in each week, the loops on top of each other.

    Args:
        weeks: the first day of each.
        emails: by loop, a number for each week.
        marks: when something changed.
    """
    largest = sorted(emails, key=lambda loop: -sum(emails[loop]))
    room = len(SERIES) if len(largest) <= len(SERIES) else len(SERIES) - 1
    shown, others = largest[:room], largest[room:]
    rows = {loop: list(emails[loop]) for loop in shown}
    if others:
        rows[f"{len(others)} other loops"] = [
            sum(some) for some in zip(*(emails[loop] for loop in others), strict=True)
        ]

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        _stack(axes, rows, SERIES)
        axes.set_xticks(range(len(weeks)), [f"{week.day} {week:%b}" for week in weeks])
        axes.set_ylabel("emails a week")
        mark(axes, {(one.day - weeks[0]).days / 7 - 0.5: one.number for one in marks})

    total = sum(sum(numbers) for numbers in rows.values())
    return _svg(draw, (7.2, 3.2), f"Emails a week by loop, {total:,} in all; the table below has the numbers.")


def mark(axes: Axes, numbers: Mapping[float, int]) -> None:
    """Draw a thin line, with its number on top, at each place of a chart over time at which something changed."""
    for place, number in numbers.items():
        axes.axvline(place, color=QUIET, linewidth=1, linestyle=(0, (2, 3)))
        axes.annotate(
            str(number),
            (place, 1),
            xycoords=("data", "axes fraction"),
            xytext=(2, -2),
            textcoords="offset points",
            va="top",
            fontsize=9,
            color=QUIET,
        )


def effects(found: Sequence[Interval]) -> Markup:
    """Draw the difference that each loop makes, with its 95 % interval."""

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        places = range(len(found) - 1, -1, -1)
        for place, one in zip(places, found, strict=True):
            axes.plot([one.low, one.high], [place, place], color=SERIES[0], linewidth=3, solid_capstyle="butt")
            axes.plot([one.estimate], [place], marker="o", color=SERIES[0], markersize=7)
        axes.axvline(0, color=QUIET, linewidth=1)
        axes.set_yticks(list(places), [one.name for one in found])
        axes.set_ylim(-0.6, len(found) - 0.4)
        axes.set_xlabel("points more of the mailed than of those held out")

    said = "; ".join(f"{one.name} {one.estimate:+.1f} ({one.low:+.1f} to {one.high:+.1f})" for one in found)
    return _svg(draw, (7.2, 1.1 + 0.42 * len(found)), f"The difference that each loop makes, in points: {said}.")


def emails_ahead(days: Sequence[date], emails: Mapping[str, Sequence[int]]) -> Markup | None:
    """Draw how many emails are known of on each of the coming days, the surest below; None where there are none.

    Args:
        emails: by how sure they are, a number for each day.
    """
    if not any(sum(numbers) for numbers in emails.values()):
        return None

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        _stack(
            axes, {kind: numbers for kind, numbers in emails.items() if sum(numbers)}, (SERIES[0], SERIES[4], SERIES[5])
        )
        axes.set_xticks(range(len(days)), [f"{day:%a} {day.day} {day:%b}" for day in days])
        axes.set_ylabel("emails a day")

    total = "; ".join(f"{kind} {sum(numbers):,}" for kind, numbers in emails.items())
    return _svg(draw, (7.2, 2.8), f"Emails of the coming days: {total}; the table below has them by loop and day.")


def emails_a_person(week: Mapping[int, int], month: Mapping[int, int], people: int) -> Markup | None:
    """Draw which part of all people had so many emails in seven and in thirty days; None where there is nobody."""
    if not people:
        return None
    numbers = range(max([*week, *month]) + 1)
    spans = {"in 7 days": week, "in 30 days": month}

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        for place, (colour, (span, counted)) in enumerate(zip(SERIES, spans.items(), strict=False)):
            shares = [100 * counted.get(number, 0) / people for number in numbers]
            axes.bar([number + 0.4 * place - 0.2 for number in numbers], shares, color=colour, width=0.38, label=span)
        axes.set_xticks(numbers)
        axes.set_xlabel("emails")
        axes.set_ylabel("% of people")
        axes.legend(frameon=False, loc="upper right", ncols=2)

    none = 100 * week.get(0, 0) / people
    return _svg(draw, (7.2, 2.8), f"Emails a person: {none:.0f} % had none in 7 days; the table below has the numbers.")


def levels(days: Sequence[date], sizes: Mapping[Level, Sequence[int]], marks: Sequence[Mark] = ()) -> Markup | None:
    """Draw how many users were at each level at the end of each day; None where it is known of fewer than two days."""
    if len(days) < 2:
        return None

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        places = range(len(days))
        axes.stackplot(places, *sizes.values(), labels=list(sizes), colors=SERIES, linewidth=0)
        step = max(1, len(days) // 7)
        axes.set_xticks(places[::step], [f"{day.day} {day:%b}" for day in days[::step]])
        axes.set_xlim(0, len(days) - 1)
        axes.yaxis.set_major_locator(MaxNLocator(integer=True, nbins=5))
        axes.set_ylabel("users")
        mark(axes, {float((one.day - days[0]).days): one.number for one in marks if days[0] <= one.day <= days[-1]})
        axes.legend(frameon=False, loc="upper left", bbox_to_anchor=(0, 1.25), ncols=3)

    said = "; ".join(f"{level} {some[0]:,} to {some[-1]:,}" for level, some in sizes.items())
    return _svg(draw, (7.2, 3.2), f"Users by engagement level, from the first day to the last: {said}.")


def adoption(features: Mapping[str, Mapping[str, int]]) -> Markup | None:
    """Draw which part of the users is in each state with each feature; None where there is no feature, or no user.

    Args:
        features: users by state.
    """
    shown = {feature: users for feature, users in features.items() if sum(users.values())}
    if not shown:
        return None
    states = list(next(iter(shown.values())))

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        places = range(len(shown) - 1, -1, -1)
        left = [0.0] * len(shown)
        for colour, state in zip((SERIES[2], SERIES[0], SERIES[1], SERIES[5]), states, strict=True):
            parts = [100 * users[state] / sum(users.values()) for users in shown.values()]
            axes.barh(places, parts, left=left, color=colour, height=0.6, label=state)
            left = [before + part for before, part in zip(left, parts, strict=True)]
        axes.set_yticks(list(places), list(shown))
        axes.set_xlim(0, 100)
        axes.set_xlabel("% of users")
        figure.legend(frameon=False, loc="outside upper left", ncols=4)

    said = "; ".join(
        f"{feature}: {', '.join(f'{n:,} {state}' for state, n in users.items())}" for feature, users in shown.items()
    )
    return _svg(draw, (7.2, 1.3 + 0.42 * len(shown)), f"Users by their use of each feature: {said}.")


def _stack(axes: Axes, rows: Mapping[str, Sequence[int]], colours: Sequence[str]) -> None:
    """Draw bars on top of each other: a number of each name at each place."""
    bottom: Sequence[int] = [0] * max((len(numbers) for numbers in rows.values()), default=0)
    for colour, (name, numbers) in zip(colours, rows.items(), strict=False):
        axes.bar(range(len(numbers)), numbers, bottom=bottom, color=colour, width=0.7, label=name)
        bottom = [below + number for below, number in zip(bottom, numbers, strict=True)]
    axes.yaxis.set_major_locator(MaxNLocator(integer=True, nbins=5))
    axes.legend(frameon=False, loc="upper left", bbox_to_anchor=(0, 1.25), ncols=3)


def _svg(draw: Callable[[Figure], None], size: tuple[float, float], said: str) -> Markup:
    with mpl.rc_context({**_STYLE}):
        figure = Figure(figsize=size, layout="constrained")
        draw(figure)
        written = io.StringIO()
        figure.savefig(written, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    svg = written.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    for colour, variable in _VARIABLES.items():
        svg = svg.replace(colour, f"var(--{variable})")
    # Its size is that of the place where it stands.
    svg = re.sub(
        r'<svg [^>]*?viewBox="([^"]*)"[^>]*>',
        r'<svg viewBox="\1" xmlns:xlink="http://www.w3.org/1999/xlink" role="img">',
        svg,
        count=1,
    )
    label = Markup("<title>{}</title>").format(said)
    return Markup(svg.replace(">", f">{label}", 1))  # noqa: S704 - it is ours, and its texts are escaped
