"""skene-dagster status."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from functools import partial
from pathlib import Path

import click
from sqlalchemy import Engine

from skene_dagster.cli.database import open_ledger, refuse_a_backup, shown_database
from skene_dagster.cli.group import LOOK
from skene_dagster.cli.inspect.came_back import heard_in_words, receipts_in_words
from skene_dagster.cli.screen import Screen, how_many, open_screen
from skene_dagster.cli.ticks import last_tick
from skene_dagster.cli.words import REASONS
from skene_dagster.consent.spool.spool import Spool
from skene_dagster.delivery import modes
from skene_dagster.delivery.controls import EVERY
from skene_dagster.delivery.health import GRACE, Left, StepHealth, Wait, closed_accounts, health, left_by_others
from skene_dagster.delivery.modes import Mode
from skene_dagster.delivery.send.session import PAUSED
from skene_dagster.errors import LedgerOutdated, SpoolError, StoreError
from skene_dagster.feedback import breaker, inbox
from skene_dagster.files import shown_path
from skene_dagster.loops.plan import LoopPlan, Schedule, StepPlan
from skene_dagster.project import load_project
from skene_dagster.settings import Settings, load
from skene_dagster.store.engine import Clock, reading

SHOWN = 3
"""The most reasons of a step's waiting emails that are shown; the others are counted."""


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, for programs.")
@click.pass_context
def status(context: click.Context, *, as_json: bool) -> None:
    """Report how each loop is doing, from what the database knows.

    Ends with 4 when a person should look: a tick was missed, a loop is paused, the provider accepts nothing more,
    emails are waiting that should have left (since when, what the provider said, when they go on), emails are in doubt,
    or unsent for more than an hour, a first wave needs approval, a gate holds a step, a file is broken, or answers of
    recipients wait on this machine for the database (also said while that is away). Where mail may leave, the
    provider's newest records are compared with the ledger: one that was restored from a backup has to be recovered.
    """
    root: Path = context.obj
    settings = load(root)
    project = load_project(settings)
    mode = modes.choose(settings)
    with _saying_if_it_fails(_unheard(settings)) as unheard, open_ledger(settings) as (engine, clock):
        now = clock()
        steps = [
            reading(
                engine,
                partial(health, plan=plan, step=step, mode=mode.name, now=now, due=_due(plan, step, now)),
            )
            for plan in project.loops
            for step in plan.steps
        ]
        others = reading(engine, lambda connection: left_by_others(connection, project.loops, mode.name, now))
        heard = reading(engine, inbox.heard)
        judged = reading(engine, lambda connection: breaker.judgements(connection, now))
        closed = reading(engine, lambda connection: closed_accounts(connection, now))
        problems = [*unheard, *_outdated(settings, mode, engine, clock)]
    problems += [problem for step in steps for problem in _problems(step, now)]
    problems += [problem for left in others for problem in _open(left, now)]
    problems += [f"The provider accepts nothing more until {_moment(until)}: {why}" for until, why in closed]
    problems += [f"{broken.file} is broken: skene-dagster validate" for broken in project.broken]
    if as_json:
        found = {"steps": [asdict(step) | {"late": step.late} for step in steps], "problems": problems}
        found |= {"judgements": [asdict(one) for one in judged]}
        click.echo(json.dumps(found | {"mode": mode.name, "feedback": asdict(heard)}, default=str, indent=2))
    else:
        screen = open_screen()
        facts = {"Database": shown_database(settings), "Emails": f"{mode.name} ({mode.why})"}
        if mode.leaves or heard.last_at is not None:
            facts["Feedback"] = heard_in_words(heard, settings)
        screen.facts(facts)
        for step in steps:
            screen.line()
            _tell(screen, step)
        screen.line()
        for one in judged:
            screen.labelled("ok", f"Watch {'all loops' if one.loop == EVERY else one.loop}: {one.words}.")
        for problem in problems:
            screen.labelled("notice", problem)
        if not problems:
            screen.labelled("ok", "Nothing needs a person.")
    if problems:
        context.exit(LOOK)


@contextmanager
def _saying_if_it_fails(problems: Iterator[str]) -> Iterator[list[str]]:
    """Say what is known without the database, where that is away."""
    known = list(problems)
    try:
        yield known
    except StoreError:
        for problem in known:
            open_screen(stderr=True).labelled("notice", problem)
        raise


def _unheard(settings: Settings) -> Iterator[str]:
    """Say which answers of recipients wait on this machine for the database, which answers by now."""
    try:
        waiting = Spool(settings.spool).waiting()
    except SpoolError as error:
        yield str(error)
        return
    if waiting is not None:
        said = how_many(waiting.choices, "answer of a recipient", "answers of recipients")
        waits = "waits" if waiting.choices == 1 else "wait"
        folder = shown_path(settings.spool, settings.root)
        yield (
            f"{said} {waits} in {folder} since {_moment(waiting.since)}. `serve`, or the next run on this "
            "machine, writes them to the database; until then that run decides about nobody."
        )


def _outdated(settings: Settings, mode: Mode, engine: Engine, clock: Clock) -> list[str]:
    try:
        refuse_a_backup(settings, mode, engine, clock)
    except LedgerOutdated as error:
        return [f"{error.message} {error.advice}"]
    except StoreError as error:
        # A call to the provider needs a slot, which is written, and the database may accept no writes.
        return [f"Could not check whether the ledger was restored from a backup: {error.message}"]
    return []


def _due(plan: LoopPlan, step: StepPlan, now: datetime) -> datetime | None:
    trigger = plan.root_of(step).trigger
    return last_tick(trigger, now - GRACE) if isinstance(trigger, Schedule) else None


def _tell(screen: Screen, step: StepHealth) -> None:
    screen.line(f"{step.loop}, step {step.step}", "bold")
    facts = {"Refreshed": _moment(step.as_of) if step.as_of else "never yet"}
    if step.waiting:
        facts["On their way"] = how_many(step.waiting, "email")
    if step.deferred:
        waiting = [f"{REASONS.get(reason, reason)}: {n:,}" for reason, n in step.deferred.items()]
        facts["Deferred"] = "; ".join(waiting)
    if step.accepted:
        facts["Accepted"] = f"{', '.join(step.accepted)} (its next tick)"
    if step.receipts.accepted:
        facts["Last 7 days"] = receipts_in_words(step.receipts)
    screen.facts(facts)


def _problems(step: StepHealth, now: datetime) -> Iterator[str]:
    name = f"{step.loop}, step {step.step}:"
    if step.late:
        assert step.due is not None
        yield f"{name} the tick of {_moment(step.due)} was missed; is Dagster's daemon running?"
    if step.ahead:
        assert step.as_of is not None
        yield f"{name} refreshed for {_moment(step.as_of)}, by a clock that was ahead; its ticks fail until then"
    if step.paused:
        why = f": {step.paused_because}" if step.paused_because else ""
        resumes = (f"skene-dagster resume {'--all' if one == EVERY else one}" for one in step.paused_as)
        yield f"{name} paused{why}; {' and '.join(resumes)}"
    yield from _open(step, now)
    if step.unresolved:
        batches = how_many(step.unresolved, "batch", "batches")
        yield f"{name} {batches} without answer; is the sensor skene__reconcile on?"
    if step.stuck and not step.paused:
        yield f"{name} {how_many(step.stuck, 'email')} not sent for over an hour; look at the loop's last run"
    if step.unapproved:
        yield f"{name} a first wave of {step.unapproved:,} waits; skene-dagster approve {step.loop}"
    for gate, said in step.held.items():
        if gate != "first_wave" or not step.unapproved:
            yield f"{name} nobody is mailed. {said}"


def _open(step: StepHealth | Left, now: datetime) -> Iterator[str]:
    name = f"{step.loop}, step {step.step}:"
    if step.in_doubt:
        yield f"{name} {how_many(step.in_doubt, 'email')} in doubt; skene-dagster doubts {step.loop}"
    # A pause is reported separately.
    waits = [wait for wait in step.waits if not wait.said.startswith(PAUSED)]
    yield from (f"{name} {_wait(wait, now)}" for wait in waits[:SHOWN])
    if more := sum(wait.emails for wait in waits[SHOWN:]):
        yield f"{name} {how_many(more, 'email')} more wait for other reasons"


def _wait(wait: Wait, now: datetime) -> str:
    """Say what waits, since when, what the provider said, and when it goes on."""
    emails = f"{how_many(wait.emails, 'email')} in {how_many(wait.batches, 'batch', 'batches')}"
    records = f" The provider's records: {wait.records.rstrip('.')}." if wait.records else ""
    then = f" They go on at {_moment(wait.due)}" if wait.due > now else " The next run continues with them"
    if wait.records and wait.key_ends is not None:
        then += f", and without the records when their key ends, at {_moment(wait.key_ends)}"
    return f"{emails} wait since {_moment(wait.since)}: {wait.said.rstrip('.')}.{records}{then}."


def _moment(at: datetime) -> str:
    return f"{at:%d %b %Y, %H:%M} UTC"
