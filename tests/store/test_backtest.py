"""A loop that ran for days, and then is replayed over them: each tick decides the same about everybody."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
from delivery_world import LIVE, START, World, make_world, planned
from sqlalchemy import Engine, insert, select, update

from skene_dagster.backtest.backtest import backtest
from skene_dagster.backtest.backtest import replayed as replayed_version
from skene_dagster.backtest.model import Backtest
from skene_dagster.backtest.selections import Selection
from skene_dagster.behaviour.rollup.roll_up import roll_up
from skene_dagster.loops.plan import StepPlan
from skene_dagster.loops.planning.usage import plan_usage
from skene_dagster.segments import conditions
from skene_dagster.segments.triggers import finding
from skene_dagster.settings import Cap, Feature, Levels, Milestone
from skene_dagster.store.tables import events, meta, sends

DAY = timedelta(days=1)
DAYS = 12
PEOPLE = range(1, 31)

WIN_BACK = """\
type: retention
holdout: 30%
steps:
  - name: nudge
    trigger: {type: schedule, cron: "0 9 * * *"}
    condition: {type: level, is: dormant}
    action: {type: email, template: hello, personalization: {name: "{{user.name}}"}, repeat: 4d}
  - name: last_call
    trigger: {type: after, step: nudge, wait: 2d}
    condition: {type: level, is: dormant, timeout: 2d}
    action: {type: email, template: hello, personalization: {name: "{{user.name}}"}, repeat: every_entry}
"""
QUERY = """\
type: retention
steps:
  - trigger: {type: schedule, cron: "0 9 * * *"}
    condition: {type: query, query: SELECT id FROM users WHERE dormant = true}
    action: {type: email, template: hello, personalization: {name: "{{user.name}}"}, repeat: 3d}
"""
LEVELS = ("new", "active", "power", "slipping", "dormant", "resurrected")
CONDITIONS = {
    **{level: f"{{type: level, is: {level}}}" for level in LEVELS},
    "dormant for a day": "{type: level, is: dormant, for: 1d}",
    **{state: f"{{type: feature, name: share, state: {state}}}" for state in ("untried", "tried", "adopted", "lapsed")},
    "milestone": "{type: milestone, name: third}",
}


@pytest.fixture
def world(engine: Engine, tmp_path: Path) -> World:
    made = make_world(engine, tmp_path)
    levels = Levels.model_validate(
        {"new": "2d", "slipping": "1d", "dormant": "2d", "resurrected": "2d", "power": 3, "window": "4d"}
    )
    caps = [Cap.model_validate({"count": 2, "within": "7d"})]
    limits = {"caps": caps, "slices": "off", "least_change": 1000}
    shared = {"title": "Sharing", "events": ["share"], "adopted_uses": 3, "adopted_days": 2, "lapsed_after": "3d"}
    made.settings = replace(
        made.settings,
        levels=levels,
        features={"share": Feature.model_validate(shared)},
        milestones={"third": Milestone.model_validate({"title": "Three", "event": "share", "count": 3})},
        limits=made.settings.limits.model_copy(update=limits),
    )
    with engine.begin() as connection:
        connection.execute(update(meta).where(meta.c.name == "coin").values(value=bytes(32).hex()))
    made.add(*PEOPLE)
    made.change(3, 7, email=None)
    made.change(4, verified=False)
    made.change(5, email="not an address")
    made.now = START + 5 * DAY
    return made


def live(world: World, chance: Random, since: datetime) -> None:
    """Let everybody do something on a day, or nothing, before its tick and after it."""
    told: list[dict[str, Any]] = []
    for user in PEOPLE:
        for name in ("visit", "share"):
            # Some come every day, some seldom.
            if chance.random() < (0.7 if user % 3 == 0 else 0.25):
                at = since + timedelta(seconds=chance.randrange(1, 86_399))
                key = f"{user}-{name}-{at:%d%H%M%S}"
                told.append({"event_id": key, "user_id": user, "name": name, "occurred_at": at, "received_at": at})
    with world.engine.begin() as connection:
        connection.execute(insert(events), told)


def count_usage(world: World) -> None:
    usage = plan_usage(world.settings)
    roll_up(world.engine, plan=usage, users=world.settings.users, as_of=world.now, clock=world.clock, run_id="run")


def tick(world: World) -> dict[str, dict[str, int]]:
    """Refresh, decide and deliver all steps; return what was decided of each."""
    decided = {}
    for number, step in enumerate(world.plan.steps):
        world.step_number = number
        if step.by_row:
            finding.refresh(
                world.engine,
                plan=world.plan,
                step=step,
                settings=world.settings,
                mode="live",
                as_of=world.now,
                clock=world.clock,
                run_id="run",
            )
        else:
            world.refresh()
        decided[step.name] = world.reserve(LIVE).counts
        world.deliver(LIVE)
    return decided


def replayed(world: World, since: datetime, until: datetime) -> Backtest:
    with world.engine.connect() as connection:
        return backtest(connection, world.plan, [world.plan], world.settings, LIVE, since, until)


def on_record(world: World, step: StepPlan, state: str) -> Counter[tuple[Any, datetime]]:
    query = select(sends.c.user_id, sends.c.as_of).where(
        sends.c.mode == "live",
        sends.c.loop == world.plan.name,
        sends.c.step == step.ledger_name,
        sends.c.state == state,
    )
    with world.engine.connect() as connection:
        return Counter((row.user_id, row.as_of) for row in connection.execute(query))


def mails(found: Backtest, step: str) -> Counter[tuple[Any, datetime]]:
    (one,) = (one for one in found.steps if one.step == step)
    return Counter((key, at) for key, ticks in one.mailed.items() for at in ticks)


def outcomes(found: Backtest, step: str) -> dict[datetime, dict[str, int]]:
    (one,) = (one for one in found.steps if one.step == step)
    return {at: dict(counts) for at, counts in one.outcomes.items()}


@pytest.mark.parametrize("seed", [1, 2])
def test_each_tick_of_a_loop_on_levels_decides_the_same_once_more(world: World, seed: int) -> None:
    chance = Random(seed)
    world.plan = planned(world.root, world.settings, WIN_BACK)
    really: dict[str, dict[datetime, dict[str, int]]] = {"nudge": {}, "last_call": {}}
    first = world.now
    live(world, chance, world.now - DAY)
    for _ in range(DAYS):
        count_usage(world)
        for name, counts in tick(world).items():
            really[name][world.now] = counts
        last = world.now
        live(world, chance, world.now)
        world.days_pass(1)

    found = replayed(world, first, last)

    for step in world.plan.steps:
        assert mails(found, step.name) == on_record(world, step, "accepted")
        assert outcomes(found, step.name) == really[step.name]
    # It is about something: each kind of answer was given.
    given = sum((Counter(counts) for ticks in really.values() for counts in ticks.values()), Counter[str]())
    assert {"mail", "held_out", "deferred:no_address", "deferred:invalid_address", "deferred:repeat"} <= {*given}
    assert on_record(world, world.plan.steps[1], "accepted")


def test_sql_over_other_tables_is_replayed_from_the_loops_own_history(world: World) -> None:
    chance = Random(3)
    world.plan = planned(world.root, world.settings, QUERY)
    really = {}
    first = world.now
    for _ in range(DAYS):
        for user in PEOPLE:
            world.change(user, dormant=chance.random() < 0.5)
        really[world.now] = tick(world)["main"]
        last = world.now
        world.days_pass(1)
    # Nothing of it is to be seen in the product's table any more.
    world.change(*PEOPLE, dormant=False)

    found = replayed(world, first, last)

    assert outcomes(found, "main") == really
    assert mails(found, "main") == on_record(world, world.plan.steps[0], "accepted")
    assert found.steps[0].how_exact.startswith("who was inside: exact, from the loop's own history")


def test_of_a_loop_that_never_ran_the_tables_are_asked_as_they_are(world: World) -> None:
    world.plan = planned(world.root, world.settings, QUERY)
    world.change(*PEOPLE, dormant=False)
    world.change(1, 2, 3, 4, dormant=True)

    found = replayed(world, START, START + 3 * DAY)

    assert found.steps[0].how_exact == "users: as they are today, asked with the clock of each tick"
    # Who is inside from the first day to the last enters once.
    assert mails(found, "main") == Counter({(1, START): 1, (2, START): 1})
    assert found.no_mail == {"deferred:no_address": 1, "deferred:not_mailable": 1}
    assert found.came_in == {1, 2, 3, 4}


def test_what_came_before_the_first_day_counts(world: World) -> None:
    world.plan = planned(world.root, world.settings, QUERY)
    world.change(*PEOPLE, dormant=False)
    world.change(1, 2, dormant=True)
    tick(world)
    world.days_pass(1)
    world.change(2, dormant=False)
    world.change(6, dormant=True)
    first, decided = world.now, tick(world)
    world.days_pass(1)
    world.change(2, dormant=True)
    second, again = world.now, tick(world)

    found = replayed(world, first, second)

    # The second was mailed two days ago, and has entered again: `repeat` is 3 days.
    assert outcomes(found, "main") == {first: decided["main"], second: again["main"]}
    assert again["main"] == {"deferred:repeat": 1}
    assert mails(found, "main") == Counter({(6, first): 1})


def test_each_condition_on_what_users_do_selects_whom_it_selected_then(world: World) -> None:
    chance = Random(7)
    plans = {name: planned(world.root, world.settings, _on(condition)) for name, condition in CONDITIONS.items()}
    then: dict[tuple[str, datetime], Sequence[Any]] = {}
    first = world.now
    live(world, chance, world.now - DAY)
    for _ in range(DAYS):
        count_usage(world)
        with world.engine.connect() as connection:
            for name, plan in plans.items():
                answer = conditions.answer(connection, plan, plan.steps[0], world.settings, world.now).rows
                then[name, world.now] = sorted(connection.execute(select(answer.c[0])).scalars())
        live(world, chance, world.now)
        world.days_pass(1)
    count_usage(world)

    with world.engine.connect() as connection:
        now = {}
        for name, at in then:
            plan, step = plans[name], plans[name].steps[0]
            known = Selection.of(connection, plan, step, world.settings, first, has_tables=True)
            now[name, at] = sorted(key for key in known.at(connection, at) if isinstance(key, int))

    assert now == then
    assert {name for (name, _), keys in then.items() if keys} == {*CONDITIONS}


def _on(condition: str) -> str:
    return QUERY.replace("{type: query, query: SELECT id FROM users WHERE dormant = true}", condition)


def test_nothing_is_written(world: World) -> None:
    world.plan = planned(world.root, world.settings, QUERY)
    tick(world)
    before = {state: on_record(world, world.plan.steps[0], state) for state in ("accepted", "skipped", "held_out")}

    replayed(world, START, START + 9 * DAY)

    assert {state: on_record(world, world.plan.steps[0], state) for state in before} == before


def test_another_version_of_a_loop_is_replayed_as_if_it_had_been_there(world: World) -> None:
    chance = Random(5)
    old = planned(world.root, world.settings, _on(CONDITIONS["dormant"]))
    new = planned(world.root, world.settings, _on(CONDITIONS["slipping"]))
    world.plan = old
    slipping: set[Any] = set()
    first = world.now
    live(world, chance, world.now - DAY)
    for _ in range(6):
        count_usage(world)
        tick(world)
        with world.engine.connect() as connection:
            answer = conditions.answer(connection, new, new.steps[0], world.settings, world.now).rows
            slipping |= set(connection.execute(select(answer.c[0])).scalars())
        last = world.now
        live(world, chance, world.now)
        world.days_pass(1)

    with world.engine.connect() as connection:
        about = (connection, new, [new], world.settings, LIVE, first, last)
        (found,) = replayed_version(*about, other_conditions=frozenset({"main"}))

    unmailable = {3, 4, 5, 7}
    assert {*found.mailed} == slipping - unmailable
    assert found.is_of_then


def test_a_query_that_was_another_when_the_loop_ran_is_not_told_from_its_history(world: World) -> None:
    world.plan = planned(world.root, world.settings, QUERY)
    first = world.now
    tick(world)
    world.change(*PEOPLE, dormant=False)
    world.change(8, dormant=True)

    with world.engine.connect() as connection:
        about = (connection, world.plan, [world.plan], world.settings, LIVE, first, first)
        (same,) = replayed_version(*about, other_conditions=frozenset())
        (other,) = replayed_version(*about, other_conditions=frozenset({"main"}))

    assert (len(same.came_in), same.is_of_then) == (len(PEOPLE), True)
    assert (other.came_in, other.is_of_then) == ({8}, False)
