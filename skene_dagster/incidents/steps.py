"""What is wrong with a step, with what a step that is gone has left, or with a loop that is paused."""

from collections.abc import Iterator
from datetime import datetime

from skene_dagster.delivery.controls import EVERY, Pause
from skene_dagster.delivery.decide.gates.judging import way_on
from skene_dagster.delivery.health import Left, StepHealth, Wait
from skene_dagster.delivery.send.session import PAUSED
from skene_dagster.incidents.failures import Failure
from skene_dagster.incidents.problems import Kind, Problem
from skene_dagster.wording import how_many, in_words

SHOWN = 3
"""The most reasons of a step's waiting emails that are shown; the others are counted."""


def problems_of(step: StepHealth, now: datetime, failure: Failure | None = None) -> Iterator[Problem]:
    """Say what is wrong with a step.

    Args:
        failure: an op of it that failed, and has not succeeded since.
    """

    def problem(kind: Kind, said: str, to_do: str = "", since: datetime | None = None) -> Problem:
        return _of_step(kind, step, said, to_do, since)

    if failure is not None:
        yield problem("run_failed", failure.words, failure.to_do, failure.failed_at)
    elif step.late:
        assert step.due is not None
        yield problem("late", f"the tick of {in_words(step.due)} was missed", "is Dagster's daemon running?", step.due)
    if step.ahead:
        assert step.as_of is not None
        until = in_words(step.as_of)
        yield problem("ahead", f"refreshed for {until}, by a clock that was ahead; its ticks fail until then")
    yield from problems_of_open(step, now)
    if step.unresolved:
        batches = how_many(step.unresolved, "batch", "batches")
        yield problem("unresolved", f"{batches} without answer", "look at the runs of skene__reconcile")
    if step.stuck and not step.paused:
        yield problem(
            "stuck", f"{how_many(step.stuck, 'email')} not sent for over an hour", "look at the loop's last run"
        )
    if step.unapproved:
        yield problem("first_wave", f"a first wave of {step.unapproved:,} waits", f"skene-dagster approve {step.loop}")
    if held := {gate: said for gate, said in step.held.items() if gate != "first_wave" or not step.unapproved}:
        way = way_on(held, step.loop, step.step)
        yield problem("held", f"nobody is mailed. {' '.join(held.values())}", f"{way[:1].lower()}{way[1:]}")


def problem_of_pause(loop: str, pause: Pause) -> Problem:
    """Say that a loop is paused, or that all are (EVERY), and how that ends."""
    said = f"paused: {pause.because}" if pause.because else "paused"
    name, argument = ("all loops", "--all") if loop == EVERY else (loop, loop)
    return Problem("paused", loop, name, said, f"skene-dagster resume {argument}", pause.since)


def problems_of_open(step: StepHealth | Left, now: datetime) -> Iterator[Problem]:
    """Say what is open of a step and should not be."""
    if step.in_doubt:
        doubt = f"{how_many(step.in_doubt, 'email')} in doubt"
        yield _of_step("in_doubt", step, doubt, f"skene-dagster doubts {step.loop}")
    # A pause is reported separately.
    waits = [wait for wait in step.waits if not wait.said.startswith(PAUSED)]
    yield from (_of_step("waiting", step, _wait(wait, now), since=wait.since) for wait in waits[:SHOWN])
    if more := sum(wait.emails for wait in waits[SHOWN:]):
        yield _of_step("waiting", step, f"{how_many(more, 'email')} more wait for other reasons")


def _of_step(kind: Kind, step: StepHealth | Left, said: str, to_do: str = "", since: datetime | None = None) -> Problem:
    return Problem(kind, f"{step.loop}.{step.step}", f"{step.loop}, step {step.step}", said, to_do, since)


def _wait(wait: Wait, now: datetime) -> str:
    """Say what waits, since when, what the provider said, and when it goes on."""
    emails = f"{how_many(wait.emails, 'email')} in {how_many(wait.batches, 'batch', 'batches')}"
    records = f" The provider's records: {wait.records.rstrip('.')}." if wait.records else ""
    then = f" They go on at {in_words(wait.due)}" if wait.due > now else " The next run continues with them"
    if wait.records and wait.key_ends is not None:
        then += f", and without the records when their key ends, at {in_words(wait.key_ends)}"
    return f"{emails} wait since {in_words(wait.since)}: {wait.said.rstrip('.')}.{records}{then}."
