"""Which versions of the loops and of skene.yaml have run, from when on, and what each changed.

This module owns skene_versions. A version is written down by the first run that has it; to ask whether it is known
costs each run two rows read.
"""

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from sqlalchemy import Connection, Engine, and_, func, insert, select
from sqlalchemy.exc import IntegrityError

from skene_dagster.loops.plan import LoopPlan
from skene_dagster.settings import FILE, Settings
from skene_dagster.store.engine import reading, transaction
from skene_dagster.store.tables import versions
from skene_dagster.versions.described import compared, differences, of_loop, of_settings, of_step

SETTINGS = "*"
"""In the place of a loop's name: skene.yaml."""

_GONE = "{}"
"""What is kept of a loop that is gone."""

_Kept = Mapping[str, Mapping[str, Mapping[str, str]]]
"""By step, and the parts of each; the loop's own under an empty name."""


@dataclass(frozen=True)
class Version:
    """A version of a loop, or of skene.yaml."""

    loop: str
    """Its name, or `skene.yaml`."""
    since: datetime
    """The tick of the first run that had it."""
    said: tuple[tuple[str, str], ...]
    """What it changed: the step, empty where it is the whole loop, and in words what."""
    is_first: bool
    """Nothing is known of what was before it."""


def note(engine: Engine, plan: LoopPlan, settings: Settings, as_of: datetime) -> None:
    """Write down the versions of a loop and of skene.yaml with which a run begins, if the last ones were others.

    Raises:
        StoreError: the database refused.
    """
    steps = {step.ledger_name: of_step(settings, plan, step) for step in plan.steps}
    now: dict[str, _Kept] = {
        plan.name: {"": {"the loop": of_loop(plan)}, **steps},
        SETTINGS: {"": {"": of_settings(settings)}},
    }
    for loop, kept in now.items():
        # Another run that begins at this moment has written the same.
        with suppress(IntegrityError):
            transaction(engine, partial(_note, loop=loop, now=kept, as_of=as_of))


def note_gone(engine: Engine, loops: Collection[str], as_of: datetime) -> None:
    """Write down that loops are gone which have run before.

    Args:
        loops: those that are there.

    Raises:
        StoreError: the database refused.
    """
    for loop in sorted(reading(engine, _running) - {*loops, SETTINGS}):
        with suppress(IntegrityError):
            transaction(engine, partial(_note, loop=loop, now={}, as_of=as_of))


def read(connection: Connection, since: datetime, loops: Collection[str]) -> list[Version]:
    """List the versions of skene.yaml and of some loops that have run since a moment, the oldest first."""
    kept = versions.c
    query = select(kept.loop, kept.number, kept.since, kept.said).where(kept.since >= since)
    return [
        Version(FILE if loop == SETTINGS else loop, at, tuple(map(tuple, json.loads(said))), number == 1)
        for loop, number, at, said in connection.execute(query.order_by(kept.since, kept.loop, kept.number))
        if loop == SETTINGS or loop in loops
    ]


def _running(connection: Connection) -> set[str]:
    """Name the loops that have run and are not known to be gone."""
    kept = versions.c
    last = select(kept.loop, func.max(kept.number).label("number")).group_by(kept.loop).subquery()
    newest = and_(kept.loop == last.c.loop, kept.number == last.c.number)
    query = select(kept.loop).select_from(versions.join(last, newest)).where(kept.described != _GONE)
    return set(connection.execute(query).scalars())


def _note(connection: Connection, loop: str, now: _Kept, as_of: datetime) -> None:
    described = json.dumps(now, sort_keys=True)
    digest, kept = hashlib.sha256(described.encode()).hexdigest(), versions.c
    last = select(kept.number, kept.digest, kept.described).where(kept.loop == loop)
    known = connection.execute(last.order_by(kept.number.desc()).limit(1)).one_or_none()
    if known is not None and known.digest == digest:
        return
    number = 1 if known is None else known.number + 1
    said = [] if known is None else list(_said(json.loads(known.described), now))
    row = {"loop": loop, "number": number, "since": as_of, "digest": digest, "described": described}
    connection.execute(insert(versions).values(row | {"said": json.dumps(said)}))


def _said(before: _Kept, now: _Kept) -> Iterator[tuple[str, str]]:
    if not (before and now):
        yield "", "back again" if now else "gone"
        return
    for step, parts in now.items():
        if step not in before:
            yield step, "new"
        elif step:
            yield from ((step, f"{part}: {words}") for part, words in compared(before[step], parts).items())
        else:
            for part, values in parts.items():
                yield from ((step, words) for words in differences(before[step].get(part, {}), values))
    yield from ((step, "gone") for step in before if step not in now)
