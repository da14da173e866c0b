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
        bottom = [0] * len(weeks)
        for colour, (loop, numbers) in zip(SERIES, rows.items(), strict=False):
            axes.bar(range(len(weeks)), numbers, bottom=bottom, color=colour, width=0.7, label=loop)
            bottom = [below + number for below, number in zip(bottom, numbers, strict=True)]
        axes.set_xticks(range(len(weeks)), [f"{week.day} {week:%b}" for week in weeks])
        axes.yaxis.set_major_locator(MaxNLocator(integer=True, nbins=5))
        axes.set_ylabel("emails a week")
        mark(axes, {(one.day - weeks[0]).days / 7 - 0.5: one.number for one in marks})
        axes.legend(frameon=False, loc="upper left", bbox_to_anchor=(0, 1.25), ncols=3)

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
