"""Incidents follow what is wrong: each is opened once, is over once, and whoever died has left nothing undone."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import prepared_tables
import pytest
from delivery_world import START, users
from sqlalchemy import Engine, select

from skene_dagster.errors import StoreError
from skene_dagster.incidents import keeping, record
from skene_dagster.incidents.now import Found
from skene_dagster.incidents.problems import LASTS, Kind, Problem
from skene_dagster.incidents.record import CALM, KEPT, Incident
from skene_dagster.incidents.telling import keep
from skene_dagster.settings import Users
from skene_dagster.store.engine import transaction
from skene_dagster.store.tables import OPEN, incidents

LATE = Problem("late", "retention.main", "retention, step main", "the tick was missed", "is the daemon running?")
PAUSED = Problem("paused", "retention.main", "retention, step main", "paused")
ALL: dict[Kind, str | None] = {"late": None, "paused": None}
A_MINUTE = timedelta(minutes=1)


@dataclass
class World:
    engine: Engine
    now: datetime = START

    def look(self, *problems: Problem, looked_at: dict[Kind, str | None] | None = None) -> None:
        """Look as the sensor does; the next time is a minute later."""
        keep(self.engine, Found(list(problems), ALL if looked_at is None else looked_at), lambda: self.now)
        self.now += A_MINUTE

    def to_tell(self) -> list[Incident]:
        return transaction(self.engine, lambda c: record.to_tell(c, ["one"], self.now))

    def tell(self) -> Sequence[tuple[str, str]]:
        """Have the only target told of all; return what it was told."""
        told = self.to_tell()
        one = frozenset({"one"})
        for incident in told:
            transaction(self.engine, lambda c, it=incident: record.told(c, it, one, one, self.now))  # type: ignore[misc]
        return [("over" if incident.closed_at else "there", incident.kind) for incident in told]

    def rows(self) -> list[tuple[str, bool]]:
        with self.engine.connect() as connection:
            rows = connection.execute(select(incidents.c.kind, incidents.c.closed_at).order_by(incidents.c.opened_at))
            return [(row.kind, row.closed_at == OPEN) for row in rows]


@pytest.fixture
def world(engine: Engine) -> World:
    users.metadata.create_all(engine)
    prepared_tables.make(engine, Users())
    return World(engine)


def test_what_lasts_is_one_incident_and_is_told_once(world: World) -> None:
    world.look(LATE)
    first = world.tell()
    world.look(LATE, PAUSED)
    world.look(LATE, PAUSED)

    assert (first, world.tell(), world.tell()) == ([("there", "late")], [("there", "paused")], [])
    assert world.rows() == [("late", True), ("paused", True)]


def test_no_address_is_kept_that_a_provider_has_quoted(world: World) -> None:
    world.look(replace(LATE, said="it refuses: Invalid `to`, u1@example.com"))

    assert [one.said for one in world.to_tell()] == ["it refuses: Invalid `to`, (an address)"]


def test_what_is_over_for_a_while_is_told_to_be_over_since_then(world: World) -> None:
    world.look(LATE)
    world.tell()
    gone_at = world.now
    world.look()
    at_once = world.tell()
    world.now = gone_at + CALM - A_MINUTE
    world.look()
    a_little_later = world.tell()
    world.look()

    (over,) = world.to_tell()
    assert (at_once, a_little_later, over.closed_at) == ([], [], gone_at)
    assert (world.tell(), world.tell()) == ([("over", "late")], [])


def test_what_comes_back_before_it_was_over_is_the_same_incident(world: World) -> None:
    world.look(LATE)
    world.tell()
    for _ in range(20):
        world.look()
        world.look(LATE)

    assert (world.tell(), world.rows()) == ([], [("late", True)])


def test_what_comes_and_goes_all_day_is_told_of_seldom(world: World) -> None:
    told: list[tuple[str, str]] = []
    for _ in range(24 * 60 // 12):
        world.look(LATE)
        told += world.tell()
        for _ in range(11):
            world.look()
            told += world.tell()

    assert len(told) <= 18
    assert told[:3] == [("there", "late"), ("over", "late"), ("there", "late")]


def test_what_was_not_looked_at_is_not_over(world: World) -> None:
    world.look(LATE, PAUSED)
    world.tell()
    for _ in range(10):
        world.look(looked_at={"paused": None})

    assert world.rows() == [("late", True), ("paused", False)]
    assert world.tell() == [("over", "paused")]


def test_what_another_machine_has_found_on_itself_is_for_it_to_close(world: World) -> None:
    here, there = (Problem("unheard", name, "", "1 answer waits") for name in ("here", "there"))
    world.look(here, looked_at={"unheard": "here"})
    world.look(there, looked_at={"unheard": "there"})
    world.now += LASTS["unheard"]
    assert len(world.tell()) == 2
    for _ in range(10):
        world.look(looked_at={"unheard": "here"})

    assert [one.subject for one in world.to_tell()] == ["here"]


def test_what_nobody_was_told_of_is_over_without_a_word(world: World) -> None:
    world.look(LATE)
    world.look()

    assert (world.rows(), world.to_tell()) == ([("late", False)], [])


def test_a_batch_that_waits_for_moments_is_nobodys_news(world: World) -> None:
    waits = replace(LATE, kind="waiting")
    world.look(waits, looked_at={"waiting": None})
    at_once = world.tell()
    world.now += LASTS["waiting"] - 2 * A_MINUTE
    world.look(waits, looked_at={"waiting": None})

    assert (at_once, world.tell()) == ([], [("there", "waiting")])


def test_what_was_wrong_before_it_was_found_is_told_to_be_so_since_then(world: World) -> None:
    long = world.now - LASTS["waiting"]
    waits = Problem("waiting", "a.b", "a", "3 emails wait", since=long)
    ahead = Problem("late", "a.b", "a", "late", since=world.now + timedelta(days=1))
    started = world.now
    world.look(waits, ahead)

    assert {one.kind: one.opened_at for one in world.to_tell()} == {"waiting": long, "late": started}


def test_of_several_of_one_kind_about_one_subject_the_first_is_told(world: World) -> None:
    world.look(LATE, replace(LATE, said="another"))

    assert [one.said for one in world.to_tell()] == [LATE.said]


def test_words_of_any_length_are_kept_and_an_incident_of_a_long_name_is_found_again(world: World) -> None:
    long = Problem("late", "s" * 400, "a" * 400, "é" * 2000, "t" * 400)
    world.look(long)
    world.tell()
    world.look(long)

    assert world.rows() == [("late", True)]


def test_a_look_that_dies_has_changed_nothing_and_the_next_one_finds_the_same(world: World) -> None:
    def dies(_: object) -> None:
        raise StoreError("the machine is gone")

    with pytest.raises(StoreError):
        transaction(
            world.engine,
            lambda c: (record.record(c, [LATE], ALL, world.now), dies(c)),  # type: ignore[func-returns-value]
        )
    before = world.rows()
    world.look(LATE)

    assert (before, world.tell()) == ([], [("there", "late")])


def test_looks_at_once_open_one_incident_and_close_it_once(world: World) -> None:
    found, gone = Found([LATE], ALL), Found([], ALL)
    for look in (found, gone):
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda _, it=look: keep(world.engine, it, lambda: world.now), range(8)))
        world.now += A_MINUTE

    assert world.rows() == [("late", False)]


def test_who_dies_between_telling_and_noting_it_tells_again(world: World) -> None:
    world.look(LATE)
    told = world.to_tell()

    assert told
    assert world.to_tell() == told


def test_who_is_told_of_what_another_look_finds_gone_meanwhile_is_told_that_it_is_over(world: World) -> None:
    world.look(LATE)
    one = frozenset({"one"})
    (on_its_way,) = world.to_tell()
    world.look()
    transaction(world.engine, lambda c: record.told(c, on_its_way, one, one, world.now))

    assert world.tell() == [("over", "late")]
    assert world.to_tell() == []


def test_what_was_told_of_one_incident_is_not_taken_for_the_next_one_of_its_kind(world: World) -> None:
    world.look(LATE)
    one = frozenset({"one"})
    (on_its_way,) = world.to_tell()
    world.look()
    world.look(LATE)
    transaction(world.engine, lambda c: record.told(c, on_its_way, one, one, world.now))

    assert world.tell() == [("over", "late"), ("there", "late")]


def test_a_clock_that_was_ahead_keeps_nothing_open(world: World) -> None:
    world.look(LATE)
    world.tell()
    world.now += timedelta(days=400)
    world.look()
    world.now -= timedelta(days=400)
    world.look()

    assert world.rows() == [("late", False)]


def test_what_is_long_over_is_forgotten(world: World) -> None:
    world.look(LATE)
    world.look()
    world.look(PAUSED)
    world.now += KEPT

    assert keeping.forget_incidents(world.engine, lambda: world.now) == 1
    assert world.rows() == [("paused", True)]
