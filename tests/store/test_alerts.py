"""Who is told: once, of all that is wrong and that it is over, through whatever their server answers."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import prepared_tables
import pytest
from alert_server import AlertServer, alert_server
from delivery_world import START, users
from sqlalchemy import Engine

from skene_dagster.incidents import telling
from skene_dagster.incidents.now import Found, in_the_database
from skene_dagster.incidents.problems import Kind, Problem
from skene_dagster.incidents.record import CALM
from skene_dagster.incidents.telling import REFUSED_FOR, Told
from skene_dagster.settings import AlertTarget, Settings, load

LATE = Problem("late", "retention.main", "retention, step main", "the tick was missed", "is Dagster's daemon running?")
PAUSED = Problem("paused", "win_back.nudge", "win_back, step nudge", "paused", "skene-dagster resume win_back")
ALL: dict[Kind, str | None] = {"late": None, "paused": None}
SECRET = "T0KEN"


@dataclass
class World:
    engine: Engine
    settings: Settings
    server: AlertServer
    now: datetime = START

    def look(self, *problems: Problem) -> Told:
        """Look and tell, as the sensor does; the next time is a minute later."""
        telling.keep(self.engine, Found(list(problems), ALL), lambda: self.now)
        told = telling.tell(self.engine, self.settings, lambda: self.now, seconds=5)
        self.now += timedelta(minutes=1)
        return told

    def to(self, slack: str) -> None:
        """Have alerts go to two paths of the server: in Slack's format to this one."""
        targets = [AlertTarget("slack", "TO_SLACK", self.server.url + slack)]
        targets.append(AlertTarget("json", "TO_JSON", f"{self.server.url}/json"))
        self.settings = replace(self.settings, alerts=tuple(targets))

    def problems(self) -> list[str]:
        """What `status` says of the targets."""
        found = Found()
        in_the_database(found, self.engine, self.settings, [], "outbox", lambda: self.now)
        assert found.failed == []
        return [one.words for one in found.problems]


@pytest.fixture
def world(engine: Engine, tmp_path: Path) -> Iterator[World]:
    users.metadata.create_all(engine)
    settings = load(tmp_path, {})
    prepared_tables.make(engine, settings.users)
    with alert_server() as server:
        world = World(engine, settings, server)
        world.to(slack="/slack")
        yield world


def test_each_incident_is_told_once_and_once_that_it_is_over(world: World) -> None:
    world.look(LATE)
    world.look(LATE, PAUSED)
    world.look(LATE, PAUSED)
    world.look(PAUSED)
    world.now += CALM
    world.look(PAUSED)
    world.look(PAUSED)

    there, second, over = world.server.texts()
    assert there.startswith("[development] :red_circle: *retention, step main*: the tick was missed.\nSince ")
    assert second.endswith("→ `skene-dagster resume win_back`")
    assert over.startswith("[development] :white_check_mark: Over after 3 min: *retention, step main*: the tick was")
    assert world.server.incidents() == [("open", "late"), ("open", "paused"), ("over", "late")]


@pytest.mark.parametrize("status", [500, 503, 429, 408])
def test_who_cannot_take_it_now_is_told_at_the_next_look_and_the_others_at_once(world: World, status: int) -> None:
    world.server.answers["/slack"] = [status]

    first, second, third = world.look(LATE), world.look(LATE), world.look(LATE)

    assert first.not_told == [f"TO_SLACK: answered {status}; the next look tries again"]
    assert (second.not_told, third.not_told, third.incidents) == ([], [], 0)
    assert len(world.server.texts()) == 2
    assert world.server.incidents() == [("open", "late")]
    assert world.problems() == []


@pytest.mark.parametrize("status", [404, 410, 301])
def test_who_refuses_is_named_by_status_and_asked_again_each_hour_until_they_take_it(world: World, status: int) -> None:
    world.server.answers["/slack"] = [status, status]

    told = world.look(LATE)
    refused = world.problems()
    world.look(LATE)
    asked_within_the_hour = len(world.server.texts())
    world.now += REFUSED_FOR
    world.look(LATE)
    world.now += REFUSED_FOR
    taken = world.look(LATE)

    assert told.not_told == [f"TO_SLACK: answered {status}; it is tried again in an hour, or with another address"]
    assert refused == [f"The alerts for TO_SLACK are refused: answered {status}; set it anew"]
    assert (asked_within_the_hour, len(world.server.texts()), taken.not_told) == (1, 3, [])
    assert world.problems() == []
    assert world.server.incidents() == [("open", "late")]


def test_another_address_is_another_target_and_is_told_at_once_what_stands(world: World) -> None:
    world.server.answers["/slack"] = [404]
    world.look(LATE)
    world.to(slack="/elsewhere")

    assert world.problems() == []
    world.look(LATE)
    assert len(world.server.texts("/elsewhere")) == 1
    assert world.server.incidents() == [("open", "late")]


def test_who_never_answers_costs_a_look_its_time_and_no_more_and_the_others_are_told(world: World) -> None:
    world.to(slack="/never")
    telling.keep(world.engine, Found([LATE], ALL), lambda: world.now)
    started = time.monotonic()

    told = telling.tell(world.engine, world.settings, lambda: world.now, seconds=0.5)

    assert time.monotonic() - started < 5
    assert told.not_told == ["TO_SLACK: no answer within 0.5 s; the next look tries again"]
    assert world.server.incidents() == [("open", "late")]


def test_who_answers_byte_by_byte_is_not_called_again_before_that_is_over(world: World) -> None:
    world.to(slack="/drips")
    telling.keep(world.engine, Found([LATE], ALL), lambda: world.now)

    said = [telling.tell(world.engine, world.settings, lambda: world.now, seconds=0.5).not_told for _ in range(3)]

    assert said == [
        ["TO_SLACK: no answer within 0.5 s; the next look tries again"],
        ["TO_SLACK: the call before is not answered yet; the next look tries again"],
        ["TO_SLACK: the call before is not answered yet; the next look tries again"],
    ]
    assert len(world.server.texts("/drips")) == 1
    assert world.server.incidents() == [("open", "late")]


def test_where_nobody_listens_it_is_said_without_the_address(world: World) -> None:
    nobody = AlertTarget("slack", "TO_SLACK", f"http://127.0.0.1:1/services/{SECRET}")
    world.settings = replace(world.settings, alerts=(nobody,))

    (said,) = world.look(LATE).not_told

    assert said == "TO_SLACK: no answer (ConnectionError); the next look tries again"
    assert SECRET not in repr(nobody)
    assert SECRET not in repr(world.settings)


def test_only_who_was_told_that_it_is_there_is_told_that_it_is_over(world: World) -> None:
    world.server.answers["/slack"] = [500] * 20
    world.look(LATE)
    world.look()
    world.now += CALM
    world.look()
    world.server.answers["/slack"].clear()
    world.look()

    assert world.server.incidents() == [("open", "late"), ("over", "late")]
    assert all("Over" not in text for text in world.server.texts())


def test_a_machine_that_knows_fewer_targets_leaves_the_others_to_one_that_knows_them(world: World) -> None:
    every, few = world.settings, replace(world.settings, alerts=world.settings.alerts[:1])
    world.settings = few
    world.look(LATE)
    world.settings = every
    world.look(LATE)
    world.settings = few
    world.look()
    world.now += CALM
    world.look()
    world.settings = every
    world.look()

    assert world.server.incidents() == [("open", "late"), ("over", "late")]
    assert len(world.server.texts()) == 2


def test_a_hundred_at_once_are_one_message(world: World) -> None:
    world.look(*(replace(LATE, subject=f"loop_{n}", about=f"loop_{n}") for n in range(100)))

    (text,) = world.server.texts()
    assert text.count(":red_circle:") == 10
    assert text.endswith("… and 90 more: skene-dagster status")
    assert len(world.server.incidents()) == 100


@pytest.mark.parametrize(
    ("to_do", "shown"),
    [
        ("skene-dagster resume retention", "`skene-dagster resume retention`"),
        (
            "skene-dagster resume retention and skene-dagster resume --all",
            "`skene-dagster resume retention` and `skene-dagster resume --all`",
        ),
        (
            "to let the next tick pass all the same: skene-dagster accept a --step b --gate fresh. To approve …",
            "To let the next tick pass all the same: `skene-dagster accept a --step b --gate fresh`. To approve …",
        ),
        (
            "mend it; `skene-dagster validate --database` checks it",
            "Mend it; `skene-dagster validate --database` checks it",
        ),
        ("is Dagster's daemon running?", "Is Dagster's daemon running?"),
    ],
)
def test_a_command_can_be_copied_whole(world: World, to_do: str, shown: str) -> None:
    world.look(replace(PAUSED, to_do=to_do))

    assert world.server.texts()[0].endswith(f"\n→ {shown}")


def test_a_message_names_nobody_and_marks_nothing_up(world: World) -> None:
    world.look(replace(LATE, said="<!channel> refused by ada@example.com & others"))

    (text,) = world.server.texts()
    assert "&lt;!channel&gt; refused by (an address) &amp; others." in text
    assert "ada" not in str(world.server.bodies)


def test_where_no_target_is_set_nothing_is_told_and_what_stands_is_told_to_the_first(world: World) -> None:
    targets, world.settings = world.settings, replace(world.settings, alerts=(AlertTarget("slack", "UNSET", None),))
    quiet = world.look(LATE)
    world.settings = targets

    assert (quiet.incidents, quiet.not_told) == (0, [])
    assert world.look(LATE).incidents == 1


def test_the_heartbeat_is_called(world: World) -> None:
    heart = AlertTarget("heartbeat", "HEARTBEAT", f"{world.server.url}/beat")
    world.server.answers["/beat"] = [200, 404]

    assert telling.beat(heart, 5) == ""
    assert telling.beat(heart, 5) == "HEARTBEAT: answered 404"
    assert telling.beat(replace(heart, address=None), 5) == ""
    assert world.server.calls == ["/beat", "/beat"]
