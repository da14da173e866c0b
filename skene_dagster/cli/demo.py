"""skene-dagster demo."""

import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from datetime import datetime, timezone
from pathlib import Path

import click

from skene_dagster.cli.database import shown_database
from skene_dagster.cli.screen import Screen, open_screen
from skene_dagster.delivery import modes
from skene_dagster.demo import days, product, story
from skene_dagster.demo.days import Day, World
from skene_dagster.demo.example_project import is_free, write_example
from skene_dagster.demo.instance import open_instance
from skene_dagster.demo.people import DAY, Person
from skene_dagster.demo.story import Story
from skene_dagster.errors import DocumentErrors, LoopError, StoreError
from skene_dagster.explain.reasons import reason_in_words
from skene_dagster.loops.plan import LoopPlan
from skene_dagster.project import Project, load_project
from skene_dagster.report.page import FILE
from skene_dagster.settings import Settings, load
from skene_dagster.store.engine import open_engine, reading
from skene_dagster.wording import how_many

LOOPS = ("activation", "feature_discovery", "freemium", "milestones", "retention", "win_back")
"""The loops that the demo runs."""

_COLUMNS = {
    "remind": ("retention.main",),
    "winback": ("win_back.nudge", "win_back.last_call"),
    "feature": ("feature_discovery.discover",),
    "guide": ("feature_discovery.guide",),
    "cheer": ("milestones.hundred_questions", "milestones.week_in_a_row", "milestones.first_year"),
    "welcome": ("activation.main",),
    "upgrade": ("freemium.main",),
}
"""Emails in the table of days, and the steps that send them."""


@click.command()
@click.option("--users", default=1000, show_default=True, type=click.IntRange(50, 100_000), help="The number of users.")
@click.option(
    "--days", "how_long", default=30, show_default=True, type=click.IntRange(1, 60), help="The number of days."
)
@click.option("--verbose", is_flag=True, help="Show Dagster's log on the terminal.")
@click.pass_obj
def demo(root: Path, *, users: int, how_long: int, verbose: bool) -> None:
    """Run the six example loops on a small simulated product, day by day, through Dagster.

    In an empty folder it first writes the example project. Creates the product's database (.skene/skene.db), and
    writes the emails to a folder; nothing leaves this machine. Running it again starts over.
    A database that the demo did not create is never touched.
    """
    screen = open_screen()
    settings = load(root)
    file = _own_database(settings)
    if is_free(root):
        write_example(root)
        screen.paragraph("The example project is written here: skene.yaml, loops/, templates/.")
        screen.line()
        settings = load(root)
    project = load_project(settings)
    plans = _loops(project)
    moments = days.ticks(datetime.now(timezone.utc).replace(tzinfo=None), how_long)
    home = Path(os.environ.get("DAGSTER_HOME") or root / ".skene" / "dagster").absolute()
    log = None if verbose else file.parent / "demo.log"

    if file.exists():
        screen.line("Starting over: the last demo's database, emails and runs are removed.")
        product.remove(file, settings.outbox)
    with screen.doing("Inventing a product and its users"):
        people = product.create(file, users, moments[0])
    screen.paragraph(
        f"{how_many(users, 'invented user')} in {shown_database(settings)}. {len(plans)} loops run over them for "
        f"{how_many(how_long, 'simulated day')}, through Dagster. Emails on each day:"
    )
    screen.line()
    engine = open_engine(settings.database_url)
    product.fix_the_coin(engine, settings)
    with open_instance(home, settings) as instance, days.quiet(log):
        world = World(file, engine, settings, project, plans, instance)
        lived = _tell_days(screen, days.run_days(world, people, moments), how_long)
    _tell_story(screen, reading(engine, lambda connection: story.read(connection, settings, plans, lived, moments)))
    _tell_where(screen, settings, home, log, moments[-1] + DAY)
    engine.dispose()


def _own_database(settings: Settings) -> Path:
    """Return the file that the demo creates; refuse to run where it would touch anything else."""
    file = settings.root / ".skene" / "skene.db"
    if settings.database_url != f"sqlite:///{file}":
        raise click.UsageError("The demo creates its own database. Unset SKENE_DATABASE_URL.")
    mode = modes.choose(settings)
    if mode.leaves:
        raise click.UsageError(f"The demo must not send anything, but here emails would be sent: {mode.why}.")
    if file.exists() and not product.is_demo(file):
        raise StoreError(
            f"{shown_database(settings)} is a database that the demo did not create; it is left alone.",
            advice="Move it elsewhere, or run the demo in another copy of the project.",
        )
    return file


def _loops(project: Project) -> list[LoopPlan]:
    found = [plan for plan in project.loops if plan.name in LOOPS]
    if project.broken:
        raise DocumentErrors(error for broken in project.broken for error in broken.error.errors)
    missing = sorted({*LOOPS} - {plan.name for plan in found})
    if missing:
        raise LoopError(
            f"The project lacks loops that the demo runs: {', '.join(missing)}.",
            advice="Run it in an empty folder, where it writes the example project.",
        )
    return days.in_order(found)


def _tell_days(screen: Screen, run: Iterator[Day], how_long: int) -> Sequence[Person]:
    """Print a line for each day as soon as it is over, and the totals; return the people of the last day."""
    screen.line(_row("day", "active", *_COLUMNS), "bold")
    lived: list[Day] = []
    while True:
        with screen.doing(f"day {len(lived) + 1} of {how_long}"):
            day = next(run, None)
        if day is None:
            break
        lived.append(day)
        screen.line(_row(_date(day.tick), day.active, *_numbers(day)))
    totals = [sum(column) for column in zip(*(_numbers(day) for day in lived), strict=True)]
    screen.line(_row("together", "", *totals), "bold")
    reasons: dict[str, int] = {}
    for outcomes in (found for day in lived for found in day.sends.values()):
        for outcome, n in outcomes.items():
            if outcome.startswith(("deferred", "skipped", "held_out")):
                reasons[outcome] = reasons.get(outcome, 0) + n
    if reasons:
        said = "; ".join(f"{reason_in_words(outcome)}: {n:,}" for outcome, n in sorted(reasons.items()))
        screen.line()
        screen.paragraph(f"Found, but not mailed: {said}. Deferred users are decided about again at every tick.")
    return lived[-1].people


def _numbers(day: Day) -> tuple[int, ...]:
    return tuple(sum(day.sends[step].get("accepted", 0) for step in steps) for steps in _COLUMNS.values())


def _date(moment: datetime) -> str:
    return f"{moment:%a %d %b}"


def _row(first: str, *cells: object) -> str:
    return f"{first:<10}" + "".join(f"{cell if isinstance(cell, str) else f'{cell:,}':>8}" for cell in cells)


def _tell_story(screen: Screen, told: Story) -> None:
    """Report what became of everybody: found, mailed, adopted, guided, celebrated."""
    screen.line()
    levels = ", ".join(f"{n:,} {level}" for level, n in told.levels.items())
    screen.paragraph(f"At the end, by engagement: {levels}.")
    for title, funnel in told.funnels.items():
        states = ", ".join(f"{n:,} {state}" for state, n in vars(funnel).items())
        screen.paragraph(f"{title}: {states}.")
    screen.line()
    screen.facts(
        {
            "Came back": f"{told.came_back:,} of {told.asked_back:,} who had been away and were mailed; "
            f"{told.anyway:,} of them would have come without an email",
            "Discovered": f"{told.tried:,} of {told.shown:,} who were shown a feature have tried it since",
            "Adopted": f"{told.adopted:,} of these use it regularly; {told.guided:,} got the advanced guide",
            "Celebrated": ", ".join(f"{title}: {n:,}" for title, n in told.celebrated.items()),
        }
    )
    if told.example is not None:
        one = told.example
        screen.line()
        screen.paragraph(
            f"{one.name} was shown the feature on {_date(one.shown)}, had adopted it by {_date(one.adopted)}, "
            f"and got the guide on {_date(one.guided)}."
        )


def _tell_where(screen: Screen, settings: Settings, home: Path, log: Path | None, tomorrow: datetime) -> None:
    root = settings.root
    screen.line()
    screen.facts(
        {
            "Emails": f"{_short(settings.outbox / 'index.html', root)}  (open it in a browser)",
            "Report": f"{_short(settings.root / FILE, root)}  (did it work, and who got nothing)",
            "Dagster": _how_to_open(root, home),
            "Preview": f"{_program(root)} preview retention --as-of {tomorrow:%Y-%m-%dT%H:%M}",
            **({"Log": _short(log, root)} if log is not None else {}),
        }
    )


def _program(root: Path) -> str:
    """Say how this command is called: `make demo` puts nothing on the PATH."""
    here = Path(sys.executable).with_name("skene-dagster")
    return "skene-dagster" if shutil.which("skene-dagster") or not here.is_relative_to(root) else _short(here, root)


def _how_to_open(root: Path, home: Path) -> str:
    if (root / "Makefile").exists():
        return "make dev  (then http://127.0.0.1:3000/runs has a run of each loop for each day)"
    place = f"$PWD/{home.relative_to(root)}" if home.is_relative_to(root) else str(home)
    module = "" if (root / "workspace.yaml").exists() else " -m skene_dagster.definitions"
    return f"DAGSTER_HOME={place} dagster dev{module}"


def _short(path: Path, root: Path) -> str:
    return str(path.relative_to(root) if path.is_relative_to(root) else path)
