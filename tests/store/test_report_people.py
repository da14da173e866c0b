"""How many people are at each level, who moved, how features are adopted, and which milestones were reached."""

from datetime import timedelta

import pytest
from sqlalchemy import Engine
from usage_world import World, at, on

from skene_dagster.behaviour.adoption import Funnel
from skene_dagster.report.people import People, read
from skene_dagster.store.engine import reading

ADA, BOB, CY = 1, 2, 3


@pytest.fixture
def world(engine: Engine) -> World:
    return World(engine)


def people(world: World, day: float) -> People:
    now = at(day)
    return reading(world.engine, lambda c: read(c, world.settings, now, now - timedelta(days=28)))


def test_of_a_product_that_nothing_was_counted_of_nothing_is_known(world: World) -> None:
    found = people(world, 30)

    assert found.as_of is None
    assert (found.days, found.features, found.milestones) == ((), (), ())


def test_levels_are_known_from_the_first_rollup_on_and_who_moved_since(world: World) -> None:
    world.add(ADA, BOB, CY)
    world.did(ADA, at(1), name="export")
    world.roll(at(5))
    world.did(BOB, at(29), name="export")
    world.roll(at(30))

    found = people(world, 30)

    assert (found.days[0], found.days[-1]) == (on(5), on(30))
    of_a_day = {
        day: {level: n[place] for level, n in found.sizes.items() if n[place]} for place, day in enumerate(found.days)
    }
    # Fourteen days after what she did.
    assert of_a_day[on(5)] == of_a_day[on(14)] == {"new": 1}
    assert of_a_day[on(15)] == {"slipping": 1}
    assert of_a_day[on(30)] == {"new": 1, "slipping": 1}
    assert found.moves == {("new", "slipping"): 1}
    assert (found.stayed("new"), found.began("new"), found.began("slipping")) == (0, 1, 0)
    assert [found.days[place] for place in found.shown_days] == [on(5), on(9), on(16), on(23), on(30)]


def test_features_and_milestones_say_what_is_new_in_four_weeks(world: World) -> None:
    world.add(ADA, BOB, CY)
    world.did(ADA, at(1), name="export")
    world.did(BOB, at(29), name="export")
    world.roll(at(30))

    found = people(world, 30)

    export = next(one for one in found.features if one.title == "export")
    assert export.users == Funnel(untried=1, tried=2, adopted=0, lapsed=0)
    # Hers was longer ago.
    assert export.changed == {"tried": 1}
    month = next(one for one in found.milestones if one.title == "month")
    assert (month.ever, month.weeks) == (3, [0, 0, 0, 3])
