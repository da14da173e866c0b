"""A loop's arms as the database counts them: who is compared, what is put together, and what is said of it."""

import random
from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from outcomes_world import BACK, MODE, PAID, World
from sqlalchemy import Engine
from usage_world import at

from skene_dagster.goals.arms import draw_anew
from skene_dagster.loops.plan import Email, LoopPlan
from skene_dagster.outcomes.comparisons import LoopOutcome, outcomes_of
from skene_dagster.outcomes.lift.arms import Pair, People
from skene_dagster.outcomes.lift.families import Arms, lifts_by_level, lifts_of_variants
from skene_dagster.outcomes.lift.sample_ratio import sample_ratio
from skene_dagster.outcomes.lift.values import Values
from skene_dagster.outcomes.lift.verdicts import judge_harm, lift_of_shares, lift_of_values

LATER = at(60)
LATE = timedelta(days=3)
"""As in the settings of this world."""


@pytest.fixture
def world(engine: Engine) -> World:
    return World(engine, goal=PAID)


def compared(world: World, number: int = 0) -> LoopOutcome:
    with world.engine.connect() as connection:
        return outcomes_of(connection, world.plan, MODE, as_of=LATER, late=LATE)[number]


def measured(world: World) -> LoopOutcome:
    world.measure(LATER, roll=False, chunk=1000)
    return compared(world)


def a_history(world: World, people: int = 600) -> list[tuple[float, str, str | None, float | None]]:
    """Enrol people in arms of two shares, at levels, and let some of them pay: share, arm, level, what was paid."""
    draw = random.Random(17)
    drawn: list[tuple[float, str, str | None, float | None]] = []
    groups: dict[tuple[float, str, str | None], list[int]] = {}
    for user in range(1, people + 1):
        share = draw.choice([0.5, 0.25])
        arm = "held_out" if draw.random() < share else "mailed"
        level = draw.choice(["dormant", "active", None])
        paid = draw.choice([1.5, 4.25, 90]) if draw.random() < (0.5 if arm == "mailed" else 0.3) else None
        groups.setdefault((share, arm, level), []).append(user)
        drawn.append((share, arm, level, paid))
        if paid is not None:
            world.pay(user, at(12), amount=paid)
    for (share, arm, level), users in groups.items():
        world.enrol(*users, share=share, arm=arm, level=level)
    return drawn


def pairs_of(people: list[tuple[float, str, str | None, float | None]]) -> list[Pair[People]]:
    all_ = Counter((share, arm) for share, arm, _, _ in people)
    reached = Counter((share, arm) for share, arm, _, paid in people if paid is not None)
    return [
        Pair(*(People(all_[share, arm], reached[share, arm]) for arm in ("mailed", "held_out")))
        for share in (0.25, 0.5)
    ]


def in_variants(plan: LoopPlan, *names: str) -> LoopPlan:
    step = plan.steps[0]
    assert isinstance(step.action, Email)
    action = replace(step.action, variants=tuple((name, 1 / len(names)) for name in names))
    return replace(plan, steps=(replace(step, action=action),))


def test_variants_are_compared_with_those_who_are_held_out_and_with_the_first(world: World) -> None:
    groups = {("mailed", "plain"): 30, ("mailed", "warm"): 60, ("held_out", None): 20}
    user = 0
    for (arm, variant), pay in groups.items():
        users = range(user + 1, user + 101)
        world.enrol(*users, arm=arm, variant=variant, share=1 / 3)
        for one in users[:pay]:
            world.pay(one, at(12))
        user = users[-1]
    world.measure(LATER, roll=False, chunk=1000)

    with world.engine.connect() as connection:
        (found,) = outcomes_of(connection, in_variants(world.plan, "plain", "warm"), MODE, as_of=LATER, late=LATE)

    nobody = People(100, 20)
    plain, warm = People(100, 30), People(100, 60)
    assert found.variants == lifts_of_variants([Arms(nobody, {"plain": plain, "warm": warm})], comparable=True)
    assert [(one.variant, one.against, one.lift.verdict) for one in found.variants] == [
        ("plain", None, "cannot tell"),
        ("warm", None, "works"),
        ("warm", "plain", "works"),
    ]
    assert compared(world).variants == ()


def test_where_the_numbers_of_variants_change_those_are_compared_who_were_drawn_by_the_same(world: World) -> None:
    # Nobody does better by one of them; but later, when most get `warm`, all buy more often.
    groups = {
        ("plain: 0.5, warm: 0.5", "plain"): (100, 20),
        ("plain: 0.5, warm: 0.5", "warm"): (100, 20),
        ("plain: 0.1, warm: 0.9", "plain"): (20, 12),
        ("plain: 0.1, warm: 0.9", "warm"): (180, 108),
    }
    user = 0
    for (weights, variant), (people, pay) in groups.items():
        users = range(user + 1, user + people + 1)
        world.enrol(*users, variant=variant, weights=weights, share=0)
        for one in users[:pay]:
            world.pay(one, at(12))
        user = users[-1]
    world.measure(LATER, roll=False, chunk=1000)

    with world.engine.connect() as connection:
        (found,) = outcomes_of(connection, in_variants(world.plan, "plain", "warm"), MODE, as_of=LATER, late=LATE)

    (warm,) = found.variants
    assert (warm.variant, warm.against, warm.lift.verdict) == ("warm", "plain", "cannot tell")
    assert warm.lift.difference is not None
    assert warm.lift.difference.estimate == pytest.approx(0)
    assert found.variant_ratios == {
        "plain: 0.1, warm: 0.9": sample_ratio((20, 180), (0.1, 0.9)),
        "plain: 0.5, warm: 0.5": sample_ratio((100, 100), (0.5, 0.5)),
    }


def test_variants_that_are_not_as_large_as_they_should_be_are_not_compared(world: World) -> None:
    world.enrol(*range(1, 101), variant="plain", weights="plain: 0.5, warm: 0.5")
    world.enrol(*range(101, 131), variant="warm", weights="plain: 0.5, warm: 0.5")
    world.enrol(*range(201, 331), arm="held_out", weights="plain: 0.5, warm: 0.5")
    world.measure(LATER, roll=False, chunk=1000)

    with world.engine.connect() as connection:
        (found,) = outcomes_of(connection, in_variants(world.plan, "plain", "warm"), MODE, as_of=LATER, late=LATE)

    assert {one.lift.verdict for one in found.variants} == {"not comparable"}
    assert [ratio.counts for ratio in found.variant_ratios.values()] == [(100, 30)]
    # How many are held out is as it should be.
    assert not found.alarm
    assert found.lift.verdict == "cannot tell"


def test_without_a_holdout_variants_are_compared_with_each_other(world: World) -> None:
    world.enrol(*range(1, 51), share=0, variant="plain")
    world.enrol(*range(51, 101), share=0, variant="warm")
    for one in range(51, 91):
        world.pay(one, at(12))
    world.measure(LATER, roll=False, chunk=1000)

    with world.engine.connect() as connection:
        (found,) = outcomes_of(connection, in_variants(world.plan, "plain", "warm"), MODE, as_of=LATER, late=LATE)

    assert [(one.variant, one.against, one.lift.verdict) for one in found.variants] == [("warm", "plain", "works")]


def test_the_arms_are_counted_as_a_reader_of_the_history_would(world: World) -> None:
    people = a_history(world)
    found = measured(world)
    pairs = pairs_of(people)
    levels = {level: pairs_of([one for one in people if one[2] == level]) for level in ("active", "dormant")}

    assert found.loop == "retention"
    assert (found.mailed.people, found.mailed.open) == (sum(one[1] == "mailed" for one in people), 0)
    assert found.held_out.reached == sum(one[1] == "held_out" and one[3] is not None for one in people)
    assert found.lift == lift_of_shares(pairs, comparable=True)
    assert found.harm == judge_harm(pairs, comparable=True)
    assert found.by_level == lifts_by_level(levels, comparable=True)
    assert found.ratios == {
        share: sample_ratio((pair.treated.people, pair.control.people), (1 - share, share))
        for share, pair in zip((0.25, 0.5), pairs, strict=True)
    }
    assert not found.alarm
    assert found.lift.verdict == "works"


def test_values_are_capped_and_the_sums_are_not(world: World) -> None:
    people = a_history(world)
    worth = measured(world).worth
    paid = sorted(one[3] for one in people if one[3] is not None)
    cap = paid[-(-95 * len(paid) // 100) - 1]

    def arm(share: float, name: str) -> Values:
        values = [one[3] or 0 for one in people if one[:2] == (share, name)]
        capped = [min(value, cap) for value in values]
        return Values(
            len(values), sum(map(bool, values)), sum(values), sum(capped), sum(value * value for value in capped)
        )

    pairs = [Pair(arm(share, "mailed"), arm(share, "held_out")) for share in (0.25, 0.5)]
    assert worth is not None
    assert worth.cap == cap
    assert worth.lift == lift_of_values(pairs, comparable=True)
    assert worth.mailed == sum(one[3] or 0 for one in people if one[1] == "mailed")
    assert worth.held_out == sum(one[3] or 0 for one in people if one[1] == "held_out")


def test_a_goal_without_values_is_worth_nothing(world: World) -> None:
    world.goal = PAID.replace(", amount AS value", "")
    world.enrol(1)
    world.pay(1, at(12))

    assert measured(world).worth is None
    world.goal = PAID
    world.enrol(2)
    assert compared(world).worth is None


def test_all_loops_together_are_compared_with_none(world: World) -> None:
    world.enrol(*range(1, 101), loop="*")
    world.enrol(*range(101, 201), loop="*", arm="held_out")
    # In a loop's own arms they are others.
    world.enrol(*range(1, 101), arm="held_out")
    for user in range(1, 41):
        world.pay(user, at(12))
    world.measure(LATER, roll=False, chunk=1000, of=world.all_loops)

    with world.engine.connect() as connection:
        (found,) = outcomes_of(connection, world.all_loops, MODE, as_of=LATER, late=LATE)

    assert found.loop == "*"
    assert (found.mailed.reached, found.held_out.reached) == (40, 0)
    assert found.lift == lift_of_shares([Pair(People(100, 40), People(100, 0))], comparable=True)
    assert (found.lift.verdict, found.harm) == ("works", "none seen")


def test_only_those_whose_time_is_over_are_compared(world: World) -> None:
    world.enrol(*range(1, 21))
    world.enrol(*range(21, 41), arm="held_out")
    world.enrol(41, 42, when=at(58))
    world.pay(1, at(12))
    world.pay(41, at(59))
    found = measured(world)

    assert (found.mailed.people, found.mailed.closed, found.mailed.reached, found.mailed.open) == (22, 20, 1, 2)
    assert (found.lift.treated, found.lift.control) == (20, 20)


def test_a_verdict_is_of_those_whose_time_was_over_when_the_last_month_ended(world: World) -> None:
    april, may = datetime(2026, 4, 1), datetime(2026, 5, 1)
    last = april - timedelta(days=7) - LATE
    world.enrol(*range(1, 61), when=last)
    world.enrol(*range(61, 121), when=last, arm="held_out")
    world.enrol(*range(201, 301), when=last + timedelta(microseconds=1))
    world.enrol(*range(301, 401), when=last + timedelta(microseconds=1), arm="held_out")
    for user in (*range(1, 31), *range(301, 371)):
        world.pay(user, last + timedelta(days=1))
    march = lift_of_shares([Pair(People(60, 30), People(60, 0))], comparable=True)
    by_now = lift_of_shares([Pair(People(160, 30), People(160, 70))], comparable=True)

    found = {}
    for as_of in (april, april + timedelta(days=1), may - timedelta(seconds=1), may):
        world.measure(as_of, roll=False, chunk=1000)
        with world.engine.connect() as connection:
            (found[as_of],) = outcomes_of(connection, world.plan, MODE, as_of=as_of, late=LATE)

    first, second, third, fourth = found.values()
    assert [one.lift for one in found.values()] == [march, march, march, by_now]
    assert [one.today for one in found.values()] == [march, by_now, by_now, by_now]
    assert [one.settled_at for one in found.values()] == [april, april, april, may]
    assert (first.lift.verdict, fourth.lift.verdict) == ("works", "does harm")
    # Harm is looked for every day.
    assert [one.harm for one in found.values()] == ["none seen", "harm", "harm", "harm"]
    assert (second.mailed.settled, second.mailed.settled_reached) == (60, 30)
    assert (second.mailed.closed, second.mailed.reached) == (160, 30)
    assert [one.has_news for one in found.values()] == [False, True, True, False]
    assert third.worth is not None
    assert (third.worth.mailed, third.worth.held_out) == (30, 0)


def test_who_was_drawn_when_nobody_was_held_out_is_not_compared(world: World) -> None:
    world.enrol(*range(1, 21), share=0.0)
    found = measured(world)

    assert (found.mailed.people, found.held_out.people) == (0, 0)
    assert found.ratios == {}
    assert (found.lift.verdict, found.harm) == ("cannot tell", "too few")


def test_arms_that_are_not_as_large_as_they_should_be_are_not_compared(world: World) -> None:
    world.enrol(*range(1, 101))
    world.enrol(*range(101, 121), arm="held_out")
    found = measured(world)

    assert found.alarm
    assert (found.lift.verdict, found.harm) == ("not comparable", "not comparable")


def test_the_alarm_is_raised_before_the_first_window_is_over(world: World) -> None:
    world.enrol(*range(1, 101), when=at(59))

    assert measured(world).alarm


def test_what_was_never_measured_says_so_much(world: World) -> None:
    world.enrol(1, 2)
    world.enrol(3, arm="held_out")
    found = compared(world)

    assert (found.mailed.people, found.mailed.closed) == (2, 0)
    assert found.lift.verdict == "cannot tell"


def test_only_the_present_draw_counts(world: World) -> None:
    world.enrol(1, 2)
    with world.engine.begin() as connection:
        draw_anew(connection, "retention")
    world.enrol(1, draw=2)

    assert measured(world).mailed.people == 1


def test_it_is_told_how_many_enter_in_a_week_now(world: World) -> None:
    world.enrol(*range(1, 9), when=at(50))
    world.enrol(*range(11, 21), when=at(20))
    world.enrol(21, when=at(61))

    assert measured(world).a_week == 2


def test_each_goal_has_its_own_outcome_in_the_order_of_the_file(world: World) -> None:
    world.goal = f"[{BACK}, {PAID}]"
    world.enrol(1, 2)
    world.usage.did(1, at(12))
    world.pay(2, at(12))
    world.measure(LATER, 0)
    world.measure(LATER, 1, roll=False)
    with world.engine.connect() as connection:
        found = outcomes_of(connection, world.plan, MODE, as_of=LATER, late=LATE)

    assert [(one.goal.kind, one.mailed.reached) for one in found] == [("returns", 1), ("query", 1)]
