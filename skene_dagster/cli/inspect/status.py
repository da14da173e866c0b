"""skene-dagster status."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path

import click
from sqlalchemy import Engine

from skene_dagster.cli.database import open_ledger, refuse_a_backup, shown_database
from skene_dagster.cli.group import LOOK
from skene_dagster.cli.inspect.budgets import budgets_in_words
from skene_dagster.cli.inspect.came_back import heard_in_words, receipts_in_words
from skene_dagster.cli.screen import Screen, open_screen
from skene_dagster.consent import erasures
from skene_dagster.consent.erasures import Erasure
from skene_dagster.delivery import modes
from skene_dagster.delivery.controls import EVERY
from skene_dagster.delivery.decide.arbiter.today import budgets
from skene_dagster.delivery.health import StepCounts, StepHealth, counts
from skene_dagster.delivery.modes import Mode
from skene_dagster.errors import LedgerOutdated, StoreError
from skene_dagster.explain.reasons import REASONS
from skene_dagster.feedback import breaker, inbox
from skene_dagster.incidents import now as wrong
from skene_dagster.incidents import telling
from skene_dagster.incidents.now import Found
from skene_dagster.incidents.problems import Problem
from skene_dagster.project import load_project
from skene_dagster.settings import Settings, load
from skene_dagster.store.engine import Clock, reading
from skene_dagster.wording import how_many, in_words

TELL_SECONDS = 10.0
"""How long to wait for the answers of those who are told."""


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, for programs.")
@click.option("--tell", is_flag=True, help="Send the alerts of skene.yaml, too, as the sensor skene__wake does.")
@click.pass_context
def status(context: click.Context, *, as_json: bool, tell: bool) -> None:
    """Report how each loop is doing, from what the database knows.

    Ends with 4 when a person should look: a tick was missed, a run fails, a loop is paused, the provider accepts
    nothing more, emails are waiting that should have left (since when, what the provider said, when they go on),
    emails are in doubt, or unsent for more than an hour, a first wave needs approval, a gate holds a step, a file is
    broken, an alert is refused, what an erasure had to leave is still there, or answers of recipients wait on this
    machine for the database (also said while that is away). Where mail may leave, the provider's newest records are
    compared with the ledger: one that was restored from a backup has to be recovered.
    """
    root: Path = context.obj
    settings = load(root)
    project = load_project(settings)
    mode = modes.choose(settings)
    found = Found()
    wrong.on_this_machine(found, settings, [broken.file for broken in project.broken])
    with _saying_if_it_fails(found), open_ledger(settings) as (engine, clock):
        wrong.in_the_database(found, engine, settings, project.loops, mode.name, clock)
        if found.failed:
            raise found.failed[0]
        plans = [(plan, step) for plan in project.loops for step in plan.steps]
        now = clock()
        numbers = [
            reading(engine, partial(counts, plan=plan, step=step, mode=mode.name, now=now)) for plan, step in plans
        ]
        heard = reading(engine, inbox.heard)
        judged = reading(engine, lambda connection: breaker.judgements(connection, now))
        planned = reading(engine, lambda connection: budgets(connection, settings, mode.name, now))
        erasing = reading(engine, erasures.waiting)
        not_told = _told(engine, settings, found, clock) if tell else []
        # Not told: the sensor, which asks no provider, could not say that it is over. The runs that it stops are told.
        found.add(["outdated"], _outdated(settings, mode, engine, clock))
    steps = list(zip(found.steps, numbers, strict=True))
    if as_json:
        said = {
            "steps": [asdict(step) | {"late": step.late} | asdict(number) for step, number in steps],
            "problems": [asdict(problem) | {"words": problem.words} for problem in found.problems],
            "not_told": not_told,
            "judgements": [asdict(one) for one in judged],
            "budgets": [asdict(one) for one in planned],
            "erasing": [
                {"erased_at": one.erased_at, "ends_at": one.ends_at, "batches": sorted(one.waits_for)}
                for one in erasing
            ],
        }
        click.echo(json.dumps(said | {"mode": mode.name, "feedback": asdict(heard)}, default=str, indent=2))
    else:
        screen = open_screen()
        facts = {"Database": shown_database(settings), "Emails": f"{mode.name} ({mode.why})"}
        if mode.leaves or heard.last_at is not None:
            facts["Feedback"] = heard_in_words(heard, settings)
        if planned:
            facts["Budget"] = budgets_in_words(planned)
        if erasing:
            facts["Erasing"] = _erasing_in_words(erasing)
        screen.facts(facts)
        for step, number in steps:
            screen.line()
            _tell(screen, step, number)
        screen.line()
        for one in judged:
            screen.labelled("ok", f"Watch {'all loops' if one.loop == EVERY else one.loop}: {one.words}.")
        for problem in found.problems:
            screen.labelled("notice", problem.words)
        for why in not_told:
            screen.labelled("notice", f"Not told: {why}.")
        if not found.problems:
            screen.labelled("ok", "Nothing needs a person.")
    if found.problems or not_told:
        context.exit(LOOK)


def _told(engine: Engine, settings: Settings, found: Found, clock: Clock) -> list[str]:
    telling.keep(engine, found, clock)
    return telling.tell(engine, settings, clock, TELL_SECONDS).not_told


@contextmanager
def _saying_if_it_fails(found: Found) -> Iterator[None]:
    """Say what is known without the database, where that is away."""
    try:
        yield
    except StoreError:
        for problem in found.problems:
            open_screen(stderr=True).labelled("notice", problem.words)
        raise


def _outdated(settings: Settings, mode: Mode, engine: Engine, clock: Clock) -> Iterator[Problem]:
    try:
        refuse_a_backup(settings, mode, engine, clock)
    except LedgerOutdated as error:
        yield Problem("outdated", "ledger", "", f"{error.message} {error.advice}")
    except StoreError as error:
        # A call to the provider needs a slot, which is written, and the database may accept no writes.
        said = f"Could not check whether the ledger was restored from a backup: {error.message}"
        yield Problem("outdated", "ledger", "", said)


def _erasing_in_words(erasing: Sequence[Erasure]) -> str:
    """Say who is not erased for good yet, why, and until when."""
    last = max(one.ends_at for one in erasing)
    people = how_many(len(erasing), "person is", "people are")
    return (
        f"{people} not erased for good yet: emails that may have been sent keep their content until that is known, at "
        f"most until {in_words(last)}"
    )


def _tell(screen: Screen, step: StepHealth, number: StepCounts) -> None:
    screen.line(f"{step.loop}, step {step.step}", "bold")
    facts = {"Refreshed": in_words(step.as_of) if step.as_of else "never yet"}
    if number.waiting:
        then = f", the first at {in_words(number.next_due)}" if number.next_due else ""
        facts["On their way"] = f"{how_many(number.waiting, 'email')}{then}"
    if number.deferred:
        waiting = [f"{REASONS.get(reason, reason)}: {n:,}" for reason, n in number.deferred.items()]
        facts["Deferred"] = "; ".join(waiting)
    if step.accepted:
        facts["Accepted"] = f"{', '.join(step.accepted)} (its next tick)"
    if number.receipts.accepted:
        facts["Last 7 days"] = receipts_in_words(number.receipts)
    screen.facts(facts)
