"""What comes back about mail: a sensor reads what providers post, a job asks those that do not."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

import dagster as dg
from sqlalchemy import Engine

from skene_dagster.compiler.checks import report_doubts
from skene_dagster.compiler.jobs.sensors import is_on_its_way
from skene_dagster.compiler.work import begun
from skene_dagster.delivery import modes
from skene_dagster.delivery.controls import EVERY
from skene_dagster.delivery.providers import registry
from skene_dagster.erasing.waiting import go_on
from skene_dagster.errors import SkeneError
from skene_dagster.feedback import breaker
from skene_dagster.feedback.breaker import Judgement
from skene_dagster.feedback.polling import poll
from skene_dagster.feedback.reading import Drained, drain
from skene_dagster.loops.plan import LoopPlan
from skene_dagster.settings import Settings
from skene_dagster.store import environment, schema
from skene_dagster.store.engine import CLOCKS_DIFFER, Clock, database_clock

NAME = "skene__feedback"
"""The job and its sensor. Two underscores: no loop can have this name."""

LOOK_EVERY = 60
"""Seconds between two looks into the inbox."""

LOOK_SECONDS = 30.0
"""For which the sensor reads at a time: Dagster gives up on it after 60, and a statement may take 25."""

ASK_SECONDS = 300.0
"""For which the job reads what it was told, and what else is there."""

ASK_EVERY = timedelta(minutes=15)
"""How often a provider is asked: each time is a run, and takes calls from its limit."""

REPORT_EVERY = timedelta(hours=1)
"""How often the checks are reported again: each time is an event for each step, which Dagster keeps for ever."""


@dataclass(frozen=True)
class Cursor:
    """When the sensor did last what it does not do each time."""

    asked: str = ""
    reported: str = ""

    @staticmethod
    def read(text: str | None) -> "Cursor":
        """Read what `written` wrote."""
        return Cursor(**json.loads(text)) if text else Cursor()

    def written(self) -> str:
        """Write it, for Dagster to keep."""
        return json.dumps(asdict(self))


def listening(plans: Sequence[LoopPlan], settings: Settings) -> dg.Definitions:
    """Define the sensor, which is on from the start, and the job that it starts where a provider has to be asked.

    Args:
        plans: the loops without errors.
    """

    @dg.op(
        name=f"{NAME}__ask",
        description="Asks providers without a webhook what became of emails, and reads what they say: receipts are "
        "filled in, and who complained is suppressed. Done again, it changes nothing.",
        out=dg.Out(dg.Nothing),
        retry_policy=dg.RetryPolicy(max_retries=2, delay=30.0, backoff=dg.Backoff.EXPONENTIAL),
    )
    def ask(context: dg.OpExecutionContext, database: dg.ResourceParam[Engine]) -> None:
        new, denied = 0, []
        with begun(context, database, settings) as work:
            if work.mode.leaves:
                with work.session() as session:
                    for name in registry.asked(settings):
                        asked = poll(session, name)
                        new += asked.reports
                        denied += [f"{name}: {asked.denied}"] if asked.denied else []
            drained = drain(database, work.clock, seconds=ASK_SECONDS)
            paused = breaker.act(database, work.clock)
            report_doubts(context.instance, database, plans, work.mode.name)
        context.log.info(_told(drained, paused))
        said = {"denied": "; ".join(denied) or "nothing", "paused": _in_words(paused) or "nothing"}
        context.add_output_metadata({"new": new, **asdict(drained), **said})

    @dg.job(name=NAME, description="Asks providers that have no webhook here what became of emails.")
    def job() -> None:
        ask()

    @dg.sensor(
        name=NAME,
        # Dagster, 2026-11: given the job itself instead of its name, it warns about an unrelated beta feature.
        job_name=NAME,
        minimum_interval_seconds=LOOK_EVERY,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Reads what providers posted about emails that they accepted: receipts are filled in, dead "
        "addresses and those of people who complained are suppressed. Erases what had to wait of a person who was "
        "erased. Starts the job of its name every 15 minutes if "
        "a provider has no webhook here.",
    )
    def sensor(
        context: dg.SensorEvaluationContext, database: dg.ResourceParam[Engine]
    ) -> Iterator[dg.SkipReason | dg.RunRequest]:
        before = Cursor.read(context.cursor)
        try:
            if not schema.is_ready(database):
                yield dg.SkipReason("The skene_* tables are not there yet, or of another release.")
                return
            environment.check(database, settings.environment)
            clock = database_clock(database)
            drained = drain(database, clock, seconds=LOOK_SECONDS)
            paused = breaker.act(database, clock)
            go_on(database, settings, clock)
            mode = modes.choose(settings)
            after = before
            if drained.events and _is_time(before.reported, REPORT_EVERY, clock):
                report_doubts(context.instance, database, plans, mode.name)
                after = Cursor(before.asked, clock().isoformat())
            asks = mode.leaves and registry.asked(settings) and _is_time(before.asked, ASK_EVERY, clock)
            if asks and not is_on_its_way(context.instance, NAME):
                after = Cursor(clock().isoformat(), after.reported)
                yield dg.RunRequest()
            else:
                yield dg.SkipReason(_told(drained, paused))
        except SkeneError as error:
            yield dg.SkipReason(str(error))
            return
        if after != before:
            context.update_cursor(after.written())

    return dg.Definitions(jobs=[job], sensors=[sensor])


def _is_time(last: str, every: timedelta, clock: Clock) -> bool:
    """Whether something was not done for so long, or last by a clock that was ahead."""
    if not last:
        return True
    return not timedelta(0) - CLOCKS_DIFFER <= clock() - datetime.fromisoformat(last) < every


def _in_words(paused: Sequence[Judgement]) -> str:
    return "; ".join(f"{'all loops' if one.loop == EVERY else one.loop}: {one.words}" for one in paused)


def _told(drained: Drained, paused: Sequence[Judgement]) -> str:
    failed = f" {drained.failed:,} could not be read." if drained.failed else ""
    return (
        f"{drained.events:,} events read, {drained.waiting:,} wait for their email to be known as accepted; "
        f"{drained.suppressed:,} recipients suppressed.{failed}{f' Paused: {_in_words(paused)}.' if paused else ''}"
    )
