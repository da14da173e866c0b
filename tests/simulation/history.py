"""A history: rounds of runs, edits and orders with whatever goes wrong; then all is well, and everything must end."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from functools import partial
from typing import Any

from choices import Choices, Made
from erasing import LONGEST_WAIT, erased, finish, judge_traces
from product import Product
from provider import MODES, RECORDS
from restoring import restore
from scheduler import Violation
from sharing import LAST_TICK, NOBODY_IS_LEFT_ANY
from sqlalchemy import Row
from tables import judge_tables
from world import (
    EDITS,
    OF_ACCOUNTS,
    OF_COMPARISONS,
    OF_GATES,
    ORDERS,
    PutOff,
    World,
    numbered_ids,
    shared_locks,
    small_slices,
)

from skene_dagster.delivery.email.message import Frozen
from skene_dagster.delivery.providers.json_emails import messages_of
from skene_dagster.loops.plan import LoopPlan

EVENTS = (
    "run",
    "again",
    "reconcile",
    "edit",
    "edit",
    "edit",
    "order",
    "template",
    "deliver",
    "deliver",
    "retain",
    "told",
    "hear",
)
GAPS = (5, 61, 130, 600, 3_600, 84_000, 90_000, 250_000, 2_700_000)
A_ROUND = timedelta(hours=2)
"""How long the actors of a round are let go on before the next begins; who sleeps longer goes on in it."""


LONGEST_GAP = 3_500_000
"""Seconds between two of the last ticks, at most: longer than any cap counts."""

LAST_TICKS = 60
"""At most, in which all must end: by then each of two emails to eight users at one address has its turn under a cap."""


@dataclass(frozen=True)
class Played:
    """What came of a history."""

    violation: Violation | None
    made: dict[str, int]
    """Its choices."""
    told: list[str]
    requests: int


def play(
    product: Product,
    *,
    seed: int | None = None,
    script: Made | None = None,
    given: Made | None = None,
    looks_inside: bool = True,
) -> Played:
    """Play the history of a seed, or that of a script, to its end or to the first violation."""
    choices = Choices(seed, script, given or {})
    violation = None
    with numbered_ids(), shared_locks():
        world = World(product, choices)
        world.oracle.looks_inside = looks_inside
        try:
            with small_slices(world.oracle.manners.limits):
                for number in range(1 + choices.pick("rounds", 5, 0.9)):
                    _round(world, number)
                _progress(world)
        except Violation as found:
            violation = found
        finally:
            world.scheduler.be_well()
            world.scheduler.kill_all()
    return Played(violation, choices.made, world.scheduler.told, len(world.provider.log))


def _round(world: World, number: int) -> None:
    choices, scheduler = world.choices, world.scheduler
    world.provider.mode = MODES[
        choices.pick(f"mode{number}", len(MODES), 0.2 if scheduler.trouble.call < 0.1 else 0.75)
    ]
    records = choices.pick(f"records{number}", len(RECORDS), 0.3)
    # Where they cannot be read, a ledger from a backup is not noticed: documented.
    world.provider.records = RECORDS[0 if world.oracle.is_restored else records]
    scheduler.say("", f"-- round {number}: {world.provider.mode}; records: {world.provider.records}")
    if world.backup and choices.yes(f"restore{number}", 0.5):
        restore(world)
    more = choices.pick(f"events{number}", 6, 0.85)
    erases = world.may_erase and choices.yes(f"erase{number}", 0.02)
    for event in (
        "run",
        *(["erase"] if erases else []),
        *(EVENTS[choices.pick(f"event{number}", len(EVENTS), 0.75)] for _ in range(more)),
    ):
        _happens(world, event, number)
    scheduler.run(until=scheduler.now + A_ROUND)
    judge_tables(world, is_over=False)
    if choices.yes(f"backup{number}", 0.05):
        world.backup, world.backed_up_at = world.eyes.everything(), scheduler.now
    scheduler.advance(scheduler.later(GAPS[choices.pick(f"gap{number}", len(GAPS), 0.8)]))


def _happens(world: World, event: str, number: int) -> None:
    choices, scheduler = world.choices, world.scheduler
    match event:
        case "run":
            for plan in world.plans:
                scheduler.spawn("run", partial(world.run, plan))
        case "again":
            scheduler.spawn("again", partial(world.run_again, _one_of(world, number)))
        case "deliver":
            scheduler.spawn("op", partial(world.deliver, _one_of(world, number)))
        case "told":
            if accepted := world.oracle.accepted:
                email = choices.pick(f"email{number}", len(accepted), 0.7)
                scheduler.spawn("told", partial(world.told, accepted[email]))
        case "hear":
            scheduler.spawn("hear", world.hear)
        case "retain":
            scheduler.spawn("night", partial(_at_night, world))
        case "erase":
            user = 1 + choices.pick(f"erased{number}", len(world.oracle.people), 0.9)
            scheduler.spawn("erase", partial(erased, world, user))
        case "reconcile":
            scheduler.spawn("rec", world.reconcile)
        case "edit":
            user = 1 + choices.pick(f"user{number}", len(world.oracle.people), 0.9)
            edits = EDITS + OF_ACCOUNTS * 2 if world.oracle.accounts else EDITS
            what = edits[choices.pick(f"edit{number}", len(edits), 0.85)]
            scheduler.spawn("edit", partial(world.edit, what, user))
        case "order":
            limits = world.sharing.limits
            more = OF_GATES if limits.has_gates else OF_COMPARISONS if limits.compared else ()
            orders = ORDERS + more * 2
            what = orders[choices.pick(f"order{number}", len(orders), 0.7)]
            _is_ordered(world, what)
        case _:
            world.version = choices.pick(f"template{number}", len(world.product.templates), 0.9)


def _is_ordered(world: World, what: str) -> None:
    order: Callable[[], None]
    if what in OF_GATES:
        order = partial(world.passes, what)
    elif what in OF_COMPARISONS:
        order = world.rewrite if what == "rewrite" else world.renew
    else:
        order = world.an_order(what)
    world.scheduler.spawn("order", order)


def _at_night(world: World) -> None:
    world.retain()
    if world.oracle.erased:
        finish(world)


def _one_of(world: World, number: int) -> LoopPlan:
    return world.plans[world.choices.pick(f"loop{number}", len(world.plans), 0.5)]


def _progress(world: World) -> None:
    """Let all be well: who sleeps wakes up, nothing breaks; every ten minutes there is a run, and a reconciliation."""
    scheduler, provider = world.scheduler, world.provider
    scheduler.be_well()
    provider.mode = "well"
    provider.records = "short" if provider.records == "short" and not world.oracle.is_restored else "well"
    scheduler.run()
    if world.oracle.is_restored:
        scheduler.spawn("recover", world.recover)
        scheduler.run()
    scheduler.spawn("hear", world.hear)
    scheduler.run()
    _erase_the_rest(world)
    for loop in (None, *world.plans):
        order = world.an_order("resume all") if loop is None else world.an_order("resume", loop.name)
        scheduler.spawn("order", order)
        scheduler.run()
    scheduler.advance(scheduler.later(130))
    scheduler.say("", "-- all is well")
    for tick in range(LAST_TICKS):
        world.sharing.begins_a_day(scheduler.now)
        _open_the_gates(world)
        for plan in world.plans:
            scheduler.spawn("run", partial(world.run, plan))
            if world.sharing.limits.has_budget:
                # Who comes second finds what the first has left.
                scheduler.run()
        scheduler.run()
        scheduler.spawn("rec", world.reconcile)
        scheduler.run()
        judge_tables(world, is_over=False)
        waiting, put_off = world.eyes.waiting(), world.put_off()
        if tick == 2:
            _judge_waiting(world, waiting)
        if tick >= 1 and not waiting and not put_off:
            break
        scheduler.advance(scheduler.later(600) if tick < 2 else _next_moment(world, waiting, put_off))
    for one in world.put_off():
        world.oracle.violated("put off for ever", f"user {one.user}: {one.reason}")
    for row in world.eyes.waiting():
        world.oracle.violated("open at the end", f"{row.state}, {row.attempts} attempts, {row.error}")
    judge_tables(world, is_over=True)
    if world.oracle.erased:
        # Bytes that the provider may have stay for a week.
        scheduler.advance(scheduler.now + LONGEST_WAIT)
        scheduler.spawn("finish", partial(finish, world))
        scheduler.run()
        for user in world.oracle.erased:
            judge_traces(world, user)


def _open_the_gates(world: World) -> None:
    for what in ("load", "approve") if world.sharing.limits.has_gates else ():
        world.scheduler.spawn("order", partial(world.passes, what))
        world.scheduler.run()


def _erase_the_rest(world: World) -> None:
    """Whom a process was about to erase that died, a person erases again."""
    for user, person in world.oracle.people.items():
        if person.is_gone and user not in world.oracle.erased:
            world.scheduler.spawn("erase", partial(erased, world, user))
            world.scheduler.run()


def _next_moment(world: World, waiting: Sequence[Row[Any]], put_off: Sequence[PutOff]) -> datetime:
    """Say when something may change for those who wait."""
    scheduler = world.scheduler
    hours: list[datetime] = [row.not_before for row in waiting if _waits_for_its_hour(world, row)]
    ahead = [moment for moment in (*hours, *(one.ask_at for one in put_off)) if moment > scheduler.now]
    if any(one.reason == "budget" for one in put_off):
        # On one day the last tick, on the next one a tick at which nobody is left anything any more.
        hour = LAST_TICK if scheduler.now.hour != LAST_TICK else NOBODY_IS_LEFT_ANY
        return datetime.combine(scheduler.now, time(hour, 5)) + timedelta(days=1)
    if len(hours) < len(waiting) or not ahead:
        ahead.append(scheduler.later(42_300))
    return min(max(min(ahead), scheduler.later(600)), scheduler.later(LONGEST_GAP))


def _waits_for_its_hour(world: World, row: Row[Any]) -> bool:
    return row.not_before is not None and row.not_before > world.scheduler.now


def _judge_waiting(world: World, waiting: Sequence[Row[Any]]) -> None:
    """Half an hour after all is well, what still waits must have an excuse, each batch for itself."""
    closed_until = world.eyes.closed_until()
    for row in waiting:
        is_closed = closed_until is not None and closed_until > world.scheduler.now
        if not is_closed and not _waits_for_its_hour(world, row) and not _is_refused_after_silence(world, row):
            world.oracle.violated("waits although it could go on", f"{row.state}, {row.attempts} attempts, {row.error}")


def _is_refused_after_silence(world: World, row: Row[Any]) -> bool:
    if row.unresolved_since is None or row.payload is None:
        return False
    messages = messages_of(Frozen.unpacked(row.send_ids.split(), row.payload))
    return row.refusal is not None or any(message.to in world.provider.bad for message in messages)
