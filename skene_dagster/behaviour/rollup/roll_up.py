"""Roll up what users do: days, activity, adoption, levels and milestones, in the database, one tick after the other.

A rollup looks at the events that arrived since the last one, counts the days again that they touch, and computes from
the days what follows for the users of those days (`passes`). Whoever writes holds the lease; a crash between chunks is
repaired by the next rollup, which looks at the same events again. Who rolls up everything from the start gets the same.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import Connection, Engine

from skene_dagster.behaviour import events
from skene_dagster.behaviour.rollup import config, passes
from skene_dagster.errors import RollupOvertaken, StoreError
from skene_dagster.loops.planning.usage import UsagePlan
from skene_dagster.settings import Users
from skene_dagster.store.engine import Clock, reading, transaction
from skene_dagster.store.leasing import leases
from skene_dagster.store.leasing.heartbeat import beating
from skene_dagster.store.leasing.leases import ROLLUP

NAME = "usage"

CHUNK = 50_000
"""Events (at first), touched days, or users per transaction."""


@dataclass(frozen=True)
class RolledUp:
    """What a rollup did."""

    as_of: datetime
    everybody: bool
    """Everybody was looked at: it was the first, or skene.yaml has changed."""
    users: int | None
    """Who was touched by new events; None where everybody was looked at."""
    days: int | None
    """How many days of theirs were counted again; None where all were."""
    seconds: float
    too_late: int = 0
    """Days that late events touched and that stayed as they were: their other events are deleted. Some are told by
    two rollups, for what arrived last is looked at twice."""
    since: date | None = None
    """Where all days were counted again: the first of them, if those before it stayed as they were."""
    already: bool = False
    """This very as_of was rolled up before; nothing was done."""
    newer: datetime | None = None
    """A newer as_of was rolled up before; nothing was written."""


def roll_up(
    engine: Engine,
    *,
    plan: UsagePlan,
    users: Users,
    as_of: datetime,
    clock: Clock,
    run_id: str,
    chunk: int = CHUNK,
) -> RolledUp:
    """Bring everything that is known of what users do to as_of: of events before it, only. Again changes nothing.

    A rollup for an as_of that is older than the last one's writes nothing, and says so.

    Args:
        run_id: who rolls up, at most 64 characters; a run may take over from itself.
        chunk: about how many events, touched days or users a transaction is about.

    Raises:
        RollupBusy: another run is rolling up.
        RollupOvertaken: one for a newer as_of has begun to write, and did not end.
        SettingsError: the events are not what skene.yaml says, or cannot be read on this database.
        StoreError: the database refused; what was half-written is repaired by the next rollup.
    """
    started = clock()
    try:
        mine, _ = leases.begin(engine, NAME, owner=run_id, as_of=as_of, clock=clock, kind=ROLLUP)
    except RollupOvertaken:
        last = last_as_of(engine)
        if last is None or last <= as_of:
            raise
        transaction(engine, lambda connection: leases.doubt_the_watermark(connection, NAME, clock()))
        return RolledUp(as_of, everybody=False, users=0, days=0, seconds=0.0, newer=last)
    if mine is None:
        return RolledUp(as_of, everybody=False, users=0, days=0, seconds=0.0, already=True)
    try:
        with beating(engine, mine, clock):
            done = passes.all_of_them(engine, mine, plan=plan, users=users, clock=clock, size=chunk, started=started)
    except BaseException:
        # If the database is gone, the lease runs out.
        with suppress(StoreError):
            transaction(engine, lambda connection: leases.release(connection, mine))
        raise
    seconds = (clock() - started).total_seconds()
    return RolledUp(as_of, done.everybody, done.users, done.days, seconds, done.too_late, done.since)


def let_go(
    connection: Connection, plan: UsagePlan, wanted: date, needed: Mapping[str, datetime], now: datetime
) -> tuple[date | None, str]:
    """Let go of the events from before a day, as far as no rollup and nothing else will look at them again.

    Args:
        needed: by who looks at them, from which moment on.

    Returns:
        The day before which they may be deleted from now on, and what it waits for if that is not the wanted one.
    """
    row = leases.between(connection, NAME, now, ROLLUP)
    if row is None or config.changes(connection, plan.digests).events:
        return events.kept_since(connection), "a rollup of what users do"
    seen = row.watermark - passes.OVERLAP
    # What has arrived since is still to be counted: its day may not become too late meanwhile.
    rolled_up = min(seen, row.as_of, events.earliest_received_since(connection, seen) or seen)
    who, latest = min({"a rollup of what users do": rolled_up, **needed}.items(), key=lambda item: item[1])
    since = events.let_go(connection, min(wanted, latest.date()))
    return since, who if since < wanted else ""


def last_as_of(engine: Engine) -> datetime | None:
    """Say as of when what users do is rolled up; None before the first time."""
    return reading(engine, rolled_up)


def rolled_up(connection: Connection) -> datetime | None:
    """Say as of when what users do is rolled up; None before the first time, and while it is half-written."""
    row = leases.state(connection, NAME, ROLLUP)
    if row is None or row.as_of is None or row.as_of != row.writing_as_of:
        return None
    moment: datetime = row.as_of
    return moment


def first_rolled_up(connection: Connection) -> datetime | None:
    """Say as of when what users do was first rolled up: of before that only the levels of then are known."""
    row = leases.state(connection, NAME, ROLLUP)
    return None if row is None else row.first_as_of
