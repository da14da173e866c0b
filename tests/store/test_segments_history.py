"""Two laws, for any users on any ticks: a refresh is idempotent; who entered and has not left is inside."""

import itertools
from dataclasses import dataclass, field
from datetime import datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from segment_world import FIRST, World, loop
from sqlalchemy import Engine

from skene_dagster.loops.plan import LoopPlan

KEYS = range(1, 10)
people = st.frozensets(st.sampled_from(KEYS))


class Died(BaseException):
    """The process is gone; nothing of ours catches it."""


@dataclass
class Model:
    """What the history has to be, in Python."""

    rows: list[tuple[int, int, int | None, str | None]] = field(default_factory=list)

    def refresh(self, day: int, staged: frozenset[int]) -> None:
        inside = {row[0] for row in self.rows if row[2] is None}
        self.rows = [
            (key, entered, day, "left") if exited is None and key not in staged else (key, entered, exited, reason)
            for key, entered, exited, reason in self.rows
        ]
        self.rows += [(key, day, None, None) for key in staged - inside]


@dataclass(frozen=True)
class Tick:
    """A tick of the loop; `before` is what a first attempt saw, which died after so many looks at the clock."""

    staged: frozenset[int]
    before: frozenset[int] | None
    dies_at: int


ticks = st.lists(
    st.builds(Tick, people, st.one_of(st.none(), people), st.integers(min_value=3, max_value=8)), min_size=1, max_size=6
)
numbers = itertools.count()


@pytest.fixture
def world(engine: Engine) -> World:
    world = World(engine)
    world.add(*KEYS)
    return world


@settings(
    max_examples=10,
    deadline=None,
    # The database is kept from one example to the next; each has a loop of its own.
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(ticks=ticks, plain=st.booleans())
def test_the_history_is_that_of_one_refresh_per_tick(world: World, ticks: list[Tick], *, plain: bool) -> None:
    plan = loop(name=f"loop_{next(numbers)}", plain=plain)
    model = Model()

    for day, tick in enumerate(ticks):
        seen = tick.staged
        if tick.before is not None and not _dies(world, plan, day, tick):
            seen = tick.before  # it was quicker than its death
        world.only(tick.staged)
        refreshed = world.refresh(day, plan)
        again = world.refresh(day, plan)

        model.refresh(day, seen)
        history = world.history(plan)
        assert history == sorted(model.rows, key=lambda row: row[:2])
        assert again.already
        entered = sum(1 for row in history if row[1] == day)
        exited = sum(1 for row in history if row[2] == day)
        assert (refreshed.members, refreshed.entered, refreshed.exited) == (len(seen), entered, exited)
        assert len(history) - sum(1 for row in history if row[2] is not None) == refreshed.members


def _dies(world: World, plan: LoopPlan, day: int, tick: Tick) -> bool:
    """Try a refresh that dies on its way; False when it came to its end."""
    looks = iter(range(1, tick.dies_at))

    def clock() -> datetime:
        if next(looks, None) is None:
            raise Died
        return FIRST

    world.only(tick.before or ())
    try:
        world.refresh(day, plan, clock=clock)
    except Died:
        return True
    return False
