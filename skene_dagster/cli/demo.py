"""skene-dagster demo."""

import os
from collections.abc import Iterator, Sequence
from datetime import datetime, timezone
from pathlib import Path

import click

from skene_dagster.cli.database import shown_database
from skene_dagster.cli.screen import Screen, how_many, open_screen
from skene_dagster.cli.words import reason_in_words
from skene_dagster.delivery import channels
from skene_dagster.demo import days, product
from skene_dagster.demo.days import Day, Return, World
from skene_dagster.demo.people import DAY
from skene_dagster.errors import DocumentErrors, LoopError, StoreError
from skene_dagster.loops.plan import LoopPlan
from skene_dagster.project import Project, load_project
from skene_dagster.settings import Settings, load
from skene_dagster.store.engine import open_engine

LOOP = "retention"
"""The loop that the demo runs."""

_HEAD = ("members", "entered", "left", "mailed", "deferred", "skipped")


@click.command()
@click.option("--users", default=2000, show_default=True, type=click.IntRange(50, 100_000), help="How many users.")
@click.option("--days", "how_long", default=8, show_default=True, type=click.IntRange(1, 60), help="How many days.")
@click.option("--verbose", is_flag=True, help="Leave Dagster's log on the terminal.")
@click.pass_obj
def demo(root: Path, *, users: int, how_long: int, verbose: bool) -> None:
    """Run the retention loop over a small invented product, day by day, through Dagster.

    Makes the product's database (.skene/skene.db), and puts the emails into a folder; nothing leaves this machine.
    Running it again starts afresh. A database that the demo did not make is never touched.
    """
    screen = open_screen()
    settings = load(root)
    file = _own_database(settings)
    project = load_project(settings)
    plan = _loop(project)
    moments = days.ticks(datetime.now(timezone.utc).replace(tzinfo=None), how_long)
    home = Path(os.environ.get("DAGSTER_HOME") or root / ".skene" / "dagster").absolute()
    log = None if verbose else file.parent / "demo.log"

    if file.exists():
        screen.line("Starting afresh: the last demo's database, emails and runs are removed.")
        product.remove(file, settings.outbox)
    with screen.doing("Inventing a product and its users"):
        people = product.create(file, users, moments[0])
    screen.paragraph(
        f"{how_many(users, 'invented user')} in {shown_database(settings)}. The loop {plan.name!r} "
        f"({plan.document.file}) runs over them for {how_many(how_long, 'simulated day')}, through Dagster."
    )
    screen.line()
    engine = open_engine(settings.database_url)
    with days.open_instance(home, settings) as instance, days.quiet(log):
        world = World(file, engine, settings, project, plan, instance)
        _tell_days(screen, days.run_days(world, people, moments), how_long)
    _tell_outcome(screen, days.returns(world, people))
    _tell_where(screen, settings, home, log, moments[-1] + DAY)
    engine.dispose()


def _own_database(settings: Settings) -> Path:
    """Say which file the demo makes, and refuse to run where it would touch anything else."""
    file = settings.root / ".skene" / "skene.db"
    if settings.database_url != f"sqlite:///{file}":
        raise click.UsageError("The demo makes a database of its own. Unset SKENE_DATABASE_URL.")
    channel = channels.choose(settings)
    if channel.leaves:
        raise click.UsageError(f"The demo sends nothing, but here emails would leave: {channel.why}.")
    if file.exists() and not product.is_demo(file):
        raise StoreError(
            f"{shown_database(settings)} is a database that the demo did not make; it is left alone.",
            advice="Move it elsewhere, or run the demo in another copy of the project.",
        )
    return file


def _loop(project: Project) -> LoopPlan:
    for plan in project.loops:
        if plan.name == LOOP:
            return plan
    if project.broken:
        raise DocumentErrors(error for broken in project.broken for error in broken.error.errors)
    raise LoopError(f"The project has no loop {LOOP!r}, which the demo runs.")


def _tell_days(screen: Screen, run: Iterator[Day], how_long: int) -> None:
    """Print a line for each day as soon as it is over, and what they come to."""
    screen.line(_row("day", *_HEAD), "bold")
    lived: list[Day] = []
    while True:
        with screen.doing(f"day {len(lived) + 1} of {how_long}"):
            day = next(run, None)
        if day is None:
            break
        lived.append(day)
        screen.line(_row(f"{day.as_of:%a %d %b}", *_numbers(day)))
    totals = [sum(column) for column in zip(*(_numbers(day) for day in lived), strict=True)]
    screen.line(_row("together", "", *totals[1:]), "bold")
    reasons: dict[str, int] = {}
    for day in lived:
        for outcome, n in day.sends.items():
            if outcome.startswith(("deferred", "skipped")):
                reasons[outcome] = reasons.get(outcome, 0) + n
    if reasons:
        said = ", ".join(f"{n:,} {reason_in_words(outcome)}" for outcome, n in sorted(reasons.items()))
        screen.line()
        screen.paragraph(f"Entered, but not mailed: {said}. Who is deferred is looked at again at every tick.")


def _numbers(day: Day) -> tuple[int, ...]:
    of = dict.fromkeys(("accepted", "deferred", "skipped"), 0)
    for outcome, n in day.sends.items():
        state, _, _ = outcome.partition(":")
        of[state] = of.get(state, 0) + n
    return (day.members, day.entered, day.left, of["accepted"], of["deferred"], of["skipped"])


def _row(first: str, *cells: object) -> str:
    return f"{first:<11}" + "".join(f"{cell if isinstance(cell, str) else f'{cell:,}':>10}" for cell in cells)


def _tell_outcome(screen: Screen, returns: Sequence[Return]) -> None:
    back = [one for one in returns if one.came_back is not None]
    screen.line()
    screen.paragraph(f"Of {how_many(len(returns), 'user')} who were mailed, {len(back):,} have come back since.")
    for one in [*back[:1], *[one for one in returns if one.came_back is None][:1]]:
        then = f"came back on {one.came_back:%a %d %b, %H:%M}" if one.came_back else "has not been seen since"
        screen.line(f"  {one.name} was mailed on {one.mailed_at:%a %d %b} and {then}.")


def _tell_where(screen: Screen, settings: Settings, home: Path, log: Path | None, tomorrow: datetime) -> None:
    root = settings.root
    screen.line()
    screen.facts(
        {
            "Emails": f"{_short(settings.outbox / 'index.html', root)}  (open it in a browser)",
            "Dagster": _how_to_open(root, home),
            "Preview": f"skene-dagster preview {LOOP} --as-of {tomorrow:%Y-%m-%dT%H:%M}",
            **({"Log": _short(log, root)} if log is not None else {}),
        }
    )


def _how_to_open(root: Path, home: Path) -> str:
    if (root / "Makefile").exists():
        return "make dev  (then http://127.0.0.1:3000/runs has a run for each day)"
    place = f"$PWD/{home.relative_to(root)}" if home.is_relative_to(root) else str(home)
    module = "" if (root / "workspace.yaml").exists() else " -m skene_dagster.definitions"
    return f"DAGSTER_HOME={place} dagster dev{module}"


def _short(path: Path, root: Path) -> str:
    return str(path.relative_to(root) if path.is_relative_to(root) else path)
