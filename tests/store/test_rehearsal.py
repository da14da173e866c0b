"""What a preview says of a tick is what the tick does, for everybody whom the condition returns; it writes nothing."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from random import Random

import neighbours
import pytest
from delivery_world import LIVE, LOOP, OUTBOX, World, make_world, planned, users
from sqlalchemy import Engine, delete, text

from skene_dagster.delivery.decide.eligibility import Mail
from skene_dagster.delivery.decide.facts import Person
from skene_dagster.delivery.modes import Mode
from skene_dagster.delivery.rehearsal import Case, Rehearsal, Stage, rehearse, rehearse_user
from skene_dagster.delivery.rehearsal.rehearse import _keep_some
from skene_dagster.errors import QueryRejected
from skene_dagster.store.tables import contacts, metadata, preferences, suppressions


@pytest.fixture
def world(engine: Engine, tmp_path: Path) -> World:
    return make_world(engine, tmp_path)


def stage(world: World, mode: Mode = OUTBOX) -> Stage:
    return Stage(world.engine, world.plan, world.step, world.settings, mode, world.now)


def rehearsed(world: World, size: int = 10, progress: Callable[[int], None] = lambda _: None) -> Rehearsal:
    return rehearse(stage(world), size, progress)


def everybody(world: World) -> None:
    """One of each kind, three of whom are mailed."""
    world.add(1, 2, 3)
    world.add(4, email=None)
    world.add(5, email="nobody")
    world.add(6, verified=False)
    world.add(7, dormant=False)


OUTCOMES = {"mail": 3, "deferred:no_address": 1, "deferred:invalid_address": 1, "deferred:not_mailable": 1}


def test_the_first_tick_does_what_was_rehearsed(world: World) -> None:
    everybody(world)
    told: list[int] = []

    found = rehearsed(world, progress=told.append)

    assert (found.entering, found.staying, found.unknown_keys, found.counts) == (6, 0, 0, OUTCOMES)
    assert [case.user_id for case in found.sample] == [1, 2, 3]
    assert told == [6]
    world.refresh()
    assert world.reserve().counts == OUTCOMES


def test_before_the_tables_are_there_everybody_enters_for_the_first_time(world: World) -> None:
    everybody(world)
    neighbours.forget()
    metadata.drop_all(world.engine)

    found = rehearsed(world)

    assert (found.entering, found.staying, found.counts) == (6, 0, OUTCOMES)


def test_on_tables_of_an_older_release_without_the_list_it_knows_who_was_mailed(world: World) -> None:
    everybody(world)
    world.tick()
    neighbours.forget()
    for table in (suppressions, preferences, contacts):
        table.drop(world.engine)
    with world.engine.begin() as connection:
        for column in ("paused_because", "judged_from"):
            connection.execute(text(f"ALTER TABLE skene_controls DROP COLUMN {column}"))

    assert rehearsed(world).counts == {"decided_before": 3, **{why: 1 for why in OUTCOMES if why != "mail"}}


def test_who_stays_is_told_from_who_enters_and_nobody_is_mailed_twice(world: World) -> None:
    everybody(world)
    world.tick()
    world.days_pass(1)
    world.add(8)

    found = rehearsed(world)

    assert (found.entering, found.staying) == (1, 6)
    assert found.counts == OUTCOMES | {"mail": 1, "decided_before": 3}
    [case] = found.sample
    assert (case.user_id, case.inside_since, case.past) == (8, None, None)
    world.refresh()
    assert world.reserve().counts == {"mail": 1, "deferred:invalid_address": 1}


def test_a_past_is_that_of_the_channel_that_is_rehearsed(world: World) -> None:
    everybody(world)
    world.tick()

    assert rehearse(stage(world, LIVE), 10).counts == OUTCOMES


def leads(world: World, *keys: int | None) -> None:
    """Let the condition return these keys, from a table that knows nothing of users."""
    with world.engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE leads (user_id BIGINT)")
        for key in keys:
            connection.exec_driver_sql(f"INSERT INTO leads VALUES ({'NULL' if key is None else key})")
    world.rewrite_loop("SELECT id FROM users WHERE dormant = true", "SELECT user_id FROM leads")


def test_rows_of_nobody_are_counted_apart(world: World) -> None:
    world.add(1, 2)
    leads(world, 1, 99, None, None)

    found = rehearsed(world)

    assert (found.entering, found.unknown_keys, found.counts) == (1, 3, {"mail": 1})


def test_a_user_who_is_returned_twice_is_refused_with_their_key(world: World) -> None:
    world.add(1, 2)
    leads(world, 1, 2, 2)

    with pytest.raises(QueryRejected, match="a user more than once, for example 2"):
        rehearsed(world)


def test_one_user_is_found_and_decided_about(world: World) -> None:
    everybody(world)
    world.tick()
    world.days_pass(1)
    world.change(1, name="Ada")

    person, case = rehearse_user(stage(world), "1")

    assert person is not None
    assert person.columns["name"] == "Ada"
    assert isinstance(case, Case)
    assert case.inside_since == world.now - timedelta(days=1)
    assert case.past is not None


def test_a_user_whom_the_condition_leaves_out_is_a_person_without_a_case(world: World) -> None:
    everybody(world)

    person, case = rehearse_user(stage(world), "7")

    assert person is not None
    assert case is None


@pytest.mark.parametrize("key", [pytest.param("8", id="nobody's"), pytest.param("Ada", id="none at all")])
def test_a_key_of_nobody_finds_nobody(world: World, key: str) -> None:
    everybody(world)

    assert rehearse_user(stage(world), key) == (None, None)


def test_what_the_email_needs_of_the_condition_is_read_with_each_case(world: World) -> None:
    world.add(1)
    query = "SELECT id, name AS called FROM users WHERE dormant = true"
    loop = LOOP.replace("SELECT id FROM users WHERE dormant = true", f"'{query}'")
    world.plan = planned(world.root, world.settings, loop.replace("{{user.name}}", "{{row.called}}"))

    [case] = rehearsed(world).sample

    assert case.row == {"called": "User 1"}


def test_who_is_gone_from_the_users_is_no_case(world: World) -> None:
    everybody(world)
    world.tick()
    with world.engine.begin() as connection:
        connection.execute(delete(users).where(users.c.id == 1))

    assert rehearsed(world).staying == 5


def a_case(number: int) -> Case:
    return Case(number, Person("a@example.com", mailable=True, columns={}), None, None, Mail("1"), {})


class Drawn(Random):
    """Draws what a test says, and notes out of how many."""

    def __init__(self, *places: int) -> None:
        super().__init__()
        self.places = list(places)
        self.out_of: list[int] = []

    def randrange(self, *args: int) -> int:  # type: ignore[override]
        self.out_of += args
        return self.places.pop(0)


def test_of_many_cases_each_is_as_likely_to_be_shown_as_the_other() -> None:
    """Algorithm R: the k-th is kept with the likelihood size / k, in place of any of those that are kept."""
    sample: list[Case] = []
    draw = Drawn(0, 2, 1)

    for number in range(1, 6):
        _keep_some(sample, a_case(number), 2, number, draw)

    assert draw.out_of == [3, 4, 5]
    # The third took the place of the first, the fourth none, the fifth that of the third, which stands second by then.
    assert [case.user_id for case in sample] == [2, 5]
