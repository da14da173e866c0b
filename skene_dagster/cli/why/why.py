"""skene-dagster why."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import click
from sqlalchemy import Connection, Engine

from skene_dagster.cli.choosing import known_loop
from skene_dagster.cli.database import open_ledger
from skene_dagster.cli.screen import Screen, open_screen
from skene_dagster.cli.why import sections, to_programs
from skene_dagster.cli.why.sentences import Speaker
from skene_dagster.consent.listing import Recorded
from skene_dagster.consent.preferences import Kept
from skene_dagster.delivery import modes
from skene_dagster.delivery.ledger import people
from skene_dagster.delivery.ledger.people import Decided
from skene_dagster.explain import may
from skene_dagster.explain.explaining import add_history, explain
from skene_dagster.explain.happened import older, put_off
from skene_dagster.explain.model import Explained, Happened
from skene_dagster.explain.scope import Asked
from skene_dagster.explain.whom import Found, find
from skene_dagster.project import Project, load_project
from skene_dagster.settings import Settings, load
from skene_dagster.store.engine import reading
from skene_dagster.ticks import next_tick

PAGE = 500
"""Decisions that are read at a time."""

MOST_WAITING = 10_000
"""The most decisions that are taken again which --all lists."""


@click.command()
@click.argument("user")
@click.option("--loop", metavar="NAME", help="Only this loop.")
@click.option("--all", "whole", is_flag=True, help="Every decision, not only the newest 10.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, for programs.")
@click.pass_obj
def why(root: Path, *, user: str, loop: str | None, whole: bool, as_json: bool) -> None:
    """Say why USER was mailed, or not, and what comes next.

    USER is the users key, or an address: then all users who have it. Only what the database knows is read, and nothing
    is written. Addresses are masked. Moments are UTC.
    """
    settings = load(root)
    project = load_project(settings)
    mode = modes.choose(settings)
    screen = open_screen()
    with open_ledger(settings) as (engine, clock):
        asked = Asked(settings, project.loops, mode.name, clock(), next_tick)
        if loop is not None:
            known = reading(engine, asked.known)
            asked = replace(asked, loop=known_loop(project, {name for name, _ in known}, loop))
        found, users, record = reading(engine, lambda connection: _look(connection, asked, user))
        if not users and not any(record):
            raise click.BadParameter(_nobody(settings, user, found), param_hint="USER")
        users = [add_history(engine, asked, one) for one in users]
        if as_json:
            _print_json(engine, asked, users, record, whole=whole)
            return
        for broken in project.broken:
            screen.labelled("notice", f"{broken.file} is broken, so what it would do is not known here.")
        if mode.name != "live":
            screen.labelled("notice", f"These are the emails of the mode {mode.name}, not real ones: {mode.why}.")
        for n, one in enumerate(users):
            if n:
                screen.line()
                screen.line("─" * screen.width)
            _tell(screen, engine, asked, project, one, whole=whole)
        if not users:
            sections.tell_record(screen, speaker_for(asked, project, None), user, *record)


def _look(
    connection: Connection, asked: Asked, word: str
) -> tuple[Found, list[Explained], tuple[Sequence[Recorded], list[Kept]]]:
    found = find(connection, asked.settings, word)
    users = [one for key in found.keys if (one := explain(connection, asked, key)) is not None]
    if users or found.recipient is None:
        return found, users, ((), [])
    return found, users, may.on_record(connection, found.recipient)


def _nobody(settings: Settings, word: str, found: Found) -> str:
    users = settings.users
    if found.address is None:
        return f"No user has {users.table}.{users.key} = {word}."
    return f"No user has this address, or {users.table}.{users.key} = {word}, and nothing is on record of it."


def _tell(screen: Screen, engine: Engine, asked: Asked, project: Project, one: Explained, *, whole: bool) -> None:
    speaker = speaker_for(asked, project, one)
    if whole:
        sections.tell(screen, speaker, one, _every(engine, asked, one))
    else:
        sections.tell(screen, speaker, one)
    sections.tell_outside(screen, speaker, one.outside)


def speaker_for(asked: Asked, project: Project, one: Explained | None) -> Speaker:
    """Make who says it: what the project knows, and the caps of this user."""
    steps = {(plan.name, step.name): (plan, step) for plan in project.loops for step in plan.steps}
    return Speaker(asked.settings, steps, () if one is None else one.caps, asked.now)


def _print_json(
    engine: Engine,
    asked: Asked,
    users: Sequence[Explained],
    record: tuple[Sequence[Recorded], Sequence[Kept]],
    *,
    whole: bool,
) -> None:
    if whole:
        every = [tuple(each for page in _every(engine, asked, one) for each in page) for one in users]
        users = [replace(one, happened=past, more=False) for one, past in zip(users, every, strict=True)]
    said = {
        "as_of": to_programs.to_json(asked.now),
        "mode": asked.mode,
        "users": [to_programs.explained(one) for one in users],
        "on_record": None if users else to_programs.on_record(*record),
    }
    click.echo(json.dumps(said, indent=2))


def _every(engine: Engine, asked: Asked, one: Explained) -> Iterator[list[Happened]]:
    """List all decisions about a user, page by page, the newest first."""
    asked, key = replace(asked, limit=PAGE), one.person.key
    names = reading(engine, asked.known)
    waiting = put_off(
        asked,
        reading(engine, lambda c: people.put_off_about(c, asked.mode, names, key, limit=MOST_WAITING)),
    )
    last: Decided | None = None
    while True:
        page, last = reading(engine, partial(older, asked=asked, names=names, user_id=key, last=last))
        first = [each for each in waiting if last is None or each.at >= last.as_of]
        waiting = waiting[len(first) :]
        yield sorted([*page, *first], key=lambda each: each.at, reverse=True)
        if last is None:
            return
