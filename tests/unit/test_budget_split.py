"""How the emails of a day are split over the loops that tick on it."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from template_world import email, plan_of

from skene_dagster.delivery.decide.arbiter.claims import Claimant, whatever_the_sender
from skene_dagster.delivery.decide.arbiter.split import Claim, room, shares
from skene_dagster.settings import WarmUp

NEW = None
"""Nothing is known of what a loop needs."""


@pytest.mark.parametrize(
    ("total", "priorities", "expected"),
    [
        pytest.param(100, {"a": 0}, {"a": 100}, id="one loop gets all"),
        pytest.param(100, {"a": 0, "b": 0}, {"a": 50, "b": 50}, id="equal priorities get the same"),
        pytest.param(90, {"a": 7, "b": 0}, {"a": 60, "b": 30}, id="the higher of two gets two parts of three"),
        pytest.param(60, {"a": 9, "b": 2, "c": -1}, {"a": 30, "b": 20, "c": 10}, id="three ranks: 3, 2 and 1 of six"),
        pytest.param(40, {"a": 9, "b": 9, "c": 0}, {"a": 16, "b": 16, "c": 8}, id="two of the higher rank"),
        pytest.param(5, {"a": 1, "b": 0}, {"a": 4, "b": 1}, id="what does not divide goes to the highest"),
        pytest.param(1, {"a": 1, "b": 0}, {"a": 1, "b": 0}, id="of a single email"),
        pytest.param(0, {"a": 1, "b": 0}, {"a": 0, "b": 0}, id="of none"),
        pytest.param(5, {}, {}, id="nobody"),
    ],
)
def test_shares_go_by_the_rank_of_priorities(total: int, priorities: dict[str, int], expected: dict[str, int]) -> None:
    assert shares(total, priorities) == expected


@given(total=st.integers(0, 10**7), priorities=st.dictionaries(st.text(max_size=3), st.integers(-9, 9), min_size=1))
def test_shares_are_all_there_is_and_a_higher_priority_never_has_less(total: int, priorities: dict[str, int]) -> None:
    split = shares(total, priorities)

    assert sum(split.values()) == total
    by_priority = sorted(priorities, key=lambda loop: priorities[loop])
    for lower, higher in pairwise(by_priority):
        if priorities[lower] < priorities[higher]:
            assert split[lower] <= split[higher]


LOW, HIGH = Claim("low", 0, NEW), Claim("high", 5, NEW)


def test_who_comes_first_leaves_the_others_their_share() -> None:
    assert room(90, {}, [LOW, HIGH], {"low", "high"}, "low") == 30
    assert room(90, {"low": 30}, [LOW, HIGH], {"low", "high"}, "low") == 0


def test_what_a_loop_leaves_is_free_after_its_last_tick() -> None:
    assert room(90, {"high": 10}, [LOW, HIGH], {"low"}, "low") == 80


def test_no_more_is_left_for_a_loop_than_it_is_expected_to_need() -> None:
    modest = Claim("high", 5, 7)

    assert room(90, {}, [LOW, modest], {"low", "high"}, "low") == 83
    # It has got three of the seven.
    assert room(90, {"high": 3}, [LOW, modest], {"low", "high"}, "low") == 83


def test_what_is_planned_for_loops_that_nobody_knows_counts() -> None:
    assert room(90, {"gone": 50}, [LOW], {"low"}, "low") == 40


def test_what_recipients_asked_for_is_first_in_line() -> None:
    receipts = Claim("receipts", None, 20)

    assert room(100, {}, [LOW, receipts], {"low", "receipts"}, "low") == 80
    # There were more of them today than on any day before.
    assert room(100, {"receipts": 70}, [LOW, receipts], {"low", "receipts"}, "low") == 30
    assert room(100, {"receipts": 120}, [LOW, receipts], {"low", "receipts"}, "low") == -20


@dataclass(frozen=True)
class Loop:
    priority: int | None
    ticks: tuple[int, ...]
    """The hours of the day, each with as many who want an email."""
    wants: int
    expected: int | None


LOOPS = st.builds(
    Loop,
    priority=st.one_of(st.none(), st.integers(0, 3)),
    ticks=st.lists(st.integers(0, 23), min_size=1, max_size=4).map(tuple),
    wants=st.integers(0, 120),
    expected=st.one_of(st.none(), st.integers(0, 300)),
)


@given(total=st.integers(0, 400), loops=st.lists(LOOPS, min_size=1, max_size=6), seed=st.integers(0, 99))
def test_a_day_never_gets_more_than_its_budget_and_nobody_less_than_their_share(
    total: int, loops: Sequence[Loop], seed: int
) -> None:
    named = {f"loop{number}": loop for number, loop in enumerate(loops)}
    claims = [Claim(name, loop.priority, loop.expected) for name, loop in named.items()]
    runs = [(hour, name) for name, loop in named.items() for hour in loop.ticks]
    random.Random(seed).shuffle(runs)
    runs.sort(key=lambda run: run[0])
    planned = dict.fromkeys(named, 0)
    last_waits = False
    for number, (_, name) in enumerate(runs):
        to_come = {other for _, other in runs[number:]}
        wants = named[name].wants
        if named[name].priority is not None:
            left = room(total, planned, claims, to_come, name)
            last_waits = left < wants
            wants = max(min(wants, left), 0)
            # What was asked for may be more than there is: then nobody else gets any.
            assert wants == 0 or sum(planned.values()) + wants <= total
        planned[name] += wants

    if all(loop.priority is not None for loop in loops):
        assert sum(planned.values()) <= total
        split = shares(total, {name: loop.priority or 0 for name, loop in named.items()})
        for name, loop in named.items():
            needs = loop.wants * len(loop.ticks)
            known = needs if loop.expected is None else min(needs, loop.expected)
            assert planned[name] >= min(split[name], known)
        if last_waits:
            # The last run of the day takes all that is left.
            assert sum(planned.values()) == total


A_DAY = timedelta(days=1)
FROM = date(2026, 12, 1)


def warm_up(first_day: int = 150, factor: float = 1.6) -> WarmUp:
    return WarmUp.model_validate({"from": FROM, "first_day": first_day, "factor": factor})


@pytest.mark.parametrize(
    ("day", "emails"),
    [
        pytest.param(0, 150, id="the first day"),
        pytest.param(1, 240, id="the second: 150 · 1.6"),
        pytest.param(2, 384, id="the third"),
        pytest.param(4, 983, id="the fifth: 983.04"),
        pytest.param(10, 16_492, id="after ten days: 16,492.67"),
        pytest.param(-1, 150, id="the day before has no more than the first"),
        pytest.param(33, 816_677_680, id="as far as it limits anything"),
        pytest.param(34, None, id="no limit"),
        pytest.param(10_000, None, id="and never again"),
    ],
)
def test_a_warm_up_grows_each_day(day: int, emails: int | None) -> None:
    assert warm_up().emails(FROM + day * A_DAY) == emails


def test_a_warm_up_is_exact_where_its_factor_is() -> None:
    assert [warm_up(100, 1.1).emails(FROM + day * A_DAY) for day in range(3)] == [100, 110, 121]


@given(first_day=st.integers(1, 10**6), factor=st.floats(1.01, 10), day=st.integers(0, 400))
def test_a_warm_up_never_shrinks(first_day: int, factor: float, day: int) -> None:
    today, tomorrow = (warm_up(first_day, factor).emails(FROM + n * A_DAY) for n in (day, day + 1))

    assert tomorrow is None or (today is not None and today <= tomorrow)


@pytest.mark.parametrize(("expected", "together"), [((2, 3), 5), ((2, NEW), NEW), ((0, 0), 0)])
def test_a_loop_that_writes_from_two_domains_has_one_share_of_what_all_share(
    expected: tuple[int | None, int | None], together: int | None
) -> None:
    plan, step = plan_of(email())
    claims = [Claimant(Claim("a", 0, needs), f"{needs}.example", plan, (step,)) for needs in expected]
    other = Claimant(Claim("b", 0, 7), "example.com", plan, (step,))

    one, rest = whatever_the_sender([claims[0], other, claims[1]])

    assert (one.claim, one.steps) == (Claim("a", 0, together), (step, step))
    assert rest == other
