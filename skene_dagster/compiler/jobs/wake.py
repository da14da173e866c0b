"""The one sensor for all that no schedule and no row starts: each minute a bounded look at what there is to do.

It starts jobs, and does itself only what takes moments. Its parts know nothing of each other: where one fails, it is
said, and the others go on.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from functools import cached_property

import dagster as dg
from sqlalchemy import Engine

from skene_dagster.compiler.catalog.catalog import Catalog
from skene_dagster.compiler.jobs import dead_runs, feedback, reconcile
from skene_dagster.compiler.starting.sensors import is_on_its_way
from skene_dagster.compiler.work import Resources
from skene_dagster.delivery import modes
from skene_dagster.delivery.model import ModeName
from skene_dagster.delivery.modes import Mode
from skene_dagster.delivery.providers import registry
from skene_dagster.delivery.reconcile import is_wanted
from skene_dagster.erasing import waiting as erasing
from skene_dagster.errors import ProviderFatal, SkeneError, StoreUnavailable
from skene_dagster.feedback import breaker, reading
from skene_dagster.incidents import telling
from skene_dagster.incidents.now import Found, in_the_database, on_this_machine
from skene_dagster.loops.plan import LoopPlan
from skene_dagster.settings import Settings
from skene_dagster.store import environment, schema
from skene_dagster.store.engine import CLOCKS_DIFFER, Clock, database_clock
from skene_dagster.wording import how_many

NAME = "skene__wake"
"""The sensor. Two underscores: no loop can have this name."""

DESCRIPTION = (
    "Looks each minute at what there is to do. Reads what providers posted about emails: receipts are filled in, dead "
    "addresses and those of people who complained are suppressed. Erases what had to wait of people who were erased. "
    "Starts skene__feedback if there is more than a look "
    "can read, and every 15 minutes if a provider has no webhook here. Starts skene__reconcile when a batch that a run "
    "left behind (without an answer, split off from another, in doubt) has been due for two minutes and no run holds "
    "it, when the hour has come for which a batch waited, and when a removed step still has emails to send. Fails runs "
    "whose process was killed together with the process that watched it. Finds out what a person should look at, and "
    "sends the alerts of skene.yaml."
)

LOOK_EVERY = 60
"""Seconds between two looks."""

READ_SECONDS = 2.0
"""For which a look reads feedback; what is left then is read by a run."""

TELL_SECONDS = 2.0
"""For which a look waits for the answers of those who are told."""

BEAT_SECONDS = 1.0
"""For which it waits for the heartbeat's."""

ASK_EVERY = timedelta(minutes=15)
"""How often a provider is asked: each time is a run, and takes calls from its limit."""

REPORT_EVERY = timedelta(hours=1)
"""How often the checks are reported again: each time is an event for each step, which Dagster keeps for ever."""


@dataclass(frozen=True)
class Cursor:
    """When a look did last what it does not do each time."""

    asked: str = ""
    reported: str = ""

    @staticmethod
    def read(text: str | None) -> "Cursor":
        """Read what `written` wrote."""
        return Cursor(**json.loads(text)) if text else Cursor()

    def written(self) -> str:
        """Write it, for Dagster to keep."""
        return json.dumps(asdict(self))


def waking(
    plans: Sequence[LoopPlan], broken: Sequence[str], settings: Settings, resources: Resources, catalog: Catalog
) -> dg.Definitions:
    """Define the sensor, which is on from the start, and the jobs that it starts.

    Args:
        plans: the loops without errors.
        broken: the files with errors, as they are shown.
    """
    # Dagster, 2026-11: jobs without resources of their own get those of all definitions, and with them the sensor that
    # starts several jobs is copied, with a warning about a beta feature that nobody uses.
    jobs = [
        feedback.listening(plans, settings, resources, catalog),
        reconcile.reconciling(plans, settings, resources, catalog),
    ]

    @dg.sensor(
        name=NAME,
        jobs=jobs,
        minimum_interval_seconds=LOOK_EVERY,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=DESCRIPTION,
    )
    def sensor(context: dg.SensorEvaluationContext, skene_database: dg.ResourceParam[Engine]) -> dg.SensorResult:
        look = Look(context, skene_database, plans, broken, settings)
        said = " ".join(filter(None, _parts(look)))
        if look.starts and said:
            context.log.info(said)
        return dg.SensorResult(
            run_requests=[dg.RunRequest(job_name=name) for name in look.starts],
            skip_reason=None if look.starts else said or "Nothing is to be done.",
            cursor=look.cursor.written(),
        )

    return dg.Definitions(jobs=jobs, sensors=[sensor])


@dataclass
class Look:
    """What the parts of one look work with, and what they want."""

    context: dg.SensorEvaluationContext
    database: Engine
    plans: Sequence[LoopPlan]
    broken: Sequence[str]
    settings: Settings
    starts: list[str] = field(default_factory=list)
    """The jobs that are to be started."""
    is_whole: bool = True
    """All parts could be done."""
    is_usable: bool = False
    """The database answers, and is this environment's. A part that finds it gone spares the others the wait."""

    def __post_init__(self) -> None:
        """Go on where the last look was."""
        self.cursor = Cursor.read(self.context.cursor)

    @cached_property
    def clock(self) -> Clock:
        """The database's time."""
        return database_clock(self.database)

    @cached_property
    def mode(self) -> Mode:
        """Where emails go."""
        return modes.choose(self.settings)

    @property
    def mode_name(self) -> ModeName:
        """The mode of which problems are looked for: production without a key is live, and what it lacks is one."""
        try:
            return self.mode.name
        except ProviderFatal:
            return "live"

    def start(self, job: str) -> bool:
        """Have a job started, unless a run of it is on its way; return whether it is."""
        wanted = not is_on_its_way(self.context.instance, job)
        self.starts += [job] if wanted else []
        return wanted

    def is_time(self, last: str, every: timedelta) -> bool:
        """Whether something was not done for so long, or last by a clock that was ahead."""
        return not last or not -CLOCKS_DIFFER <= self.clock() - datetime.fromisoformat(last) < every


Part = Callable[[Look], str]
"""Does one thing of a look, and says what it did; empty: nothing was to be done."""


def _parts(look: Look) -> Iterator[str]:
    """Do each part of a look; say what it did, or why it could not."""
    yield _done(_fail_dead_runs, look)
    yield _done(_open_the_database, look)
    for part in (_read_feedback, _go_on_with_erasures, _go_on_with_what_is_left, _find_incidents, _tell_of_them):
        if look.is_usable:
            yield _done(part, look)
    if look.is_whole:
        yield _done(_beat, look)


def _done(part: Part, look: Look) -> str:
    try:
        return part(look)
    except SkeneError as error:
        look.is_usable = look.is_usable and not isinstance(error, StoreUnavailable)
        look.is_whole = False
        return str(error)
    except Exception as error:  # noqa: BLE001 - a fault of ours in one part must not stop the others
        # Its text may quote anything; its kind cannot.
        said = f"A part of the look failed ({part.__name__}: {type(error).__name__}); please report it."
        look.context.log.warning(said)
        look.is_whole = False
        return said


def _fail_dead_runs(look: Look) -> str:
    failed = dead_runs.fail_the_dead(look.context.instance)
    return f"{len(failed)} runs failed whose process was killed." if failed else ""


def _open_the_database(look: Look) -> str:
    if not schema.is_ready(look.database):
        look.is_whole = False
        return "The skene_* tables are not there yet, or of another release."
    environment.check(look.database, look.settings.environment)
    look.is_usable = True
    return ""


def _read_feedback(look: Look) -> str:
    drained = reading.drain(look.database, look.clock, seconds=READ_SECONDS)
    paused = breaker.act(look.database, look.clock)
    is_more = bool(drained.events) and reading.is_wanted(look.database, look.clock)
    reports = bool(drained.events) and look.is_time(look.cursor.reported, REPORT_EVERY)
    asks = look.mode.leaves and bool(registry.asked(look.settings)) and look.is_time(look.cursor.asked, ASK_EVERY)
    if (is_more or reports or asks) and look.start(feedback.NAME):
        now = look.clock().isoformat()
        look.cursor = replace(look.cursor, asked=now, reported=now)
    is_news = drained.events or drained.waiting or drained.failed or paused
    return feedback.told(drained, paused) if is_news else ""


def _go_on_with_erasures(look: Look) -> str:
    finished = erasing.go_on(look.database, look.settings, look.clock).finished
    return f"{how_many(finished, 'erasure')} finished." if finished else ""


def _go_on_with_what_is_left(look: Look) -> str:
    if not is_wanted(look.database, look.mode.name, look.clock, look.plans):
        return ""
    return "" if look.start(reconcile.NAME) else "A reconcile run is already in progress."


def _find_incidents(look: Look) -> str:
    found = Found()
    on_this_machine(found, look.settings, look.broken)
    in_the_database(found, look.database, look.settings, look.plans, look.mode_name, look.clock)
    telling.keep(look.database, found, look.clock)
    # What could be looked at is kept; the rest is said.
    for error in found.failed:
        raise error
    return f"{how_many(len(found.problems), 'thing')} to look at: skene-dagster status." if found.problems else ""


def _tell_of_them(look: Look) -> str:
    told = telling.tell(look.database, look.settings, look.clock, TELL_SECONDS)
    look.is_whole = look.is_whole and not told.not_told
    news = [f"Told: {how_many(told.incidents, 'incident')}."] if told.incidents else []
    return " ".join([*news, *(f"Not told: {why}." for why in told.not_told)])


def _beat(look: Look) -> str:
    unheard = telling.beat(look.settings.heartbeat, BEAT_SECONDS)
    return f"The heartbeat was not heard: {unheard}." if unheard else ""
