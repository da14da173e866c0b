"""An email leaves at the hour that its loop and its recipient's clock allow: decided now, sent then."""

import re
from contextlib import nullcontext
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from delivery_world import LIVE, LOOP, OUTBOX, World, make_world, planned
from neighbours import own
from sqlalchemy import Engine, select

from skene_dagster.delivery.providers.base import Later, Throttled
from skene_dagster.delivery.reconcile import is_wanted, reconcile
from skene_dagster.delivery.send import advance
from skene_dagster.errors import LoopInvalid
from skene_dagster.settings import QuietHours
from skene_dagster.store.tables import batches

START = datetime(2026, 3, 2, 9)
NEW_YORK, BERLIN, TOKYO = "America/New_York", "Europe/Berlin", "Asia/Tokyo"
TOKYO_MORNING = datetime(2026, 3, 2, 23)
"""Eight o'clock in Tokyo, of the third."""
AN_HOUR, A_MINUTE = timedelta(hours=1), timedelta(minutes=1)


@pytest.fixture
def world(engine: Engine, tmp_path: Path) -> World:
    """A product that keeps its users' time zones in the column `name`."""
    world = make_world(engine, tmp_path)
    users = world.settings.users.model_copy(update={"timezone": "name"})
    world.settings = replace(world.settings, users=users)
    world.add(1, name=NEW_YORK)
    world.add(2, name=BERLIN)
    world.add(3, name=TOKYO)
    world.add(4, name="Nowhere/Atlantis")
    return world


def quiet(world: World, from_: str = "22:00", to: str = "08:00") -> None:
    hours = QuietHours.model_validate({"from": from_, "to": to})
    limits = world.settings.limits.model_copy(update={"quiet_hours": hours})
    world.settings = replace(world.settings, limits=limits)
    world.plan = planned(world.root, world.settings, LOOP)


def send_at(world: World, at: str) -> None:
    text = LOOP.replace("      template: hello\n", f'      template: hello\n      send_at: "{at}"\n')
    world.plan = planned(world.root, world.settings, text)


def reconciled(world: World) -> list[str]:
    """Do what the sensor does every minute; return who has been mailed by then."""
    if is_wanted(world.engine, "live", world.clock, [world.plan]):
        reconcile(world.session(LIVE), [world.plan])
    return world.provider.mailed


def open_batches(world: World) -> list[datetime | None]:
    with world.engine.connect() as connection:
        waiting = select(batches.c.not_before).where(own(batches), batches.c.state == "reserved")
        return list(connection.execute(waiting.order_by(batches.c.not_before)).scalars())


def test_nobody_is_mailed_in_their_quiet_hours(world: World) -> None:
    quiet(world)

    # 09:00 UTC: 04:00 in New York, 10:00 in Berlin, 18:00 in Tokyo; the loop's zone is UTC.
    world.tick(LIVE)
    assert world.provider.mailed == ["u2@example.com", "u3@example.com", "u4@example.com"]
    assert open_batches(world) == [datetime(2026, 3, 2, 13)]

    world.now = datetime(2026, 3, 2, 13) - A_MINUTE
    assert "u1@example.com" not in reconciled(world)
    world.now += A_MINUTE
    assert "u1@example.com" in reconciled(world)
    assert world.states() == dict.fromkeys([1, 2, 3, 4], "accepted")


def test_everybody_is_mailed_once_at_the_hour_of_their_own_clock(world: World) -> None:
    send_at(world, "09:00")
    world.tick(LIVE)
    mailed: dict[str, datetime] = dict.fromkeys(world.provider.mailed, world.now)

    for _ in range(26 * 4):
        world.now += 15 * A_MINUTE
        for address in reconciled(world):
            mailed.setdefault(address, world.now)

    assert mailed == {
        "u4@example.com": datetime(2026, 3, 2, 9),
        "u1@example.com": datetime(2026, 3, 2, 14),
        "u3@example.com": datetime(2026, 3, 3, 0),
        "u2@example.com": datetime(2026, 3, 3, 8),
    }
    assert len(world.provider.mailed) == 4


@pytest.mark.parametrize(
    ("at", "words"),
    [
        ("22:00", "22:00 is in the quiet hours of skene.yaml, 22:00 to 08:00."),
        ("21:59", "21:59 leaves less than 15 minutes until the quiet hours of skene.yaml, 22:00 to 08:00."),
        ("21:46", "21:46 leaves less than 15 minutes"),
        ("21:45", None),
        ("08:00", None),
    ],
)
def test_a_time_at_which_an_email_could_never_leave_is_refused(world: World, at: str, words: str | None) -> None:
    quiet(world)
    with nullcontext() if words is None else pytest.raises(LoopInvalid, match=re.escape(words)):
        send_at(world, at)


def test_who_left_the_segment_before_their_hour_gets_nothing(world: World) -> None:
    quiet(world)
    world.tick(LIVE)
    world.change(1, dormant=False)
    world.now = datetime(2026, 3, 2, 13)
    reconciled(world)

    assert world.states()[1] == "deferred:left_segment"


def test_an_email_expires_so_long_after_its_hour_not_after_its_tick(world: World) -> None:
    limits = world.settings.limits.model_copy(update={"expires_after": 2 * AN_HOUR})
    world.settings = replace(world.settings, limits=limits)
    quiet(world)
    world.tick(LIVE)
    world.now = datetime(2026, 3, 2, 15)
    assert "u1@example.com" in reconciled(world)


def test_an_email_whose_hour_is_long_past_is_too_late(world: World) -> None:
    limits = world.settings.limits.model_copy(update={"expires_after": 2 * AN_HOUR})
    world.settings = replace(world.settings, limits=limits)
    quiet(world)
    world.tick(LIVE)
    world.now = datetime(2026, 3, 2, 15) + A_MINUTE
    reconciled(world)

    assert world.states()[1] == "skipped:too_late"


def test_what_was_put_off_into_the_quiet_hours_waits_for_their_end(world: World) -> None:
    quiet(world, "18:30", "08:00")
    world.change(1, 2, 4, dormant=False)
    world.refresh()
    world.reserve(LIVE)
    world.provider.answers.append(lambda *_: Later(3600, "a limit"))
    world.deliver(LIVE)
    # 19:00 in Tokyo
    world.now += AN_HOUR
    world.deliver(LIVE)
    assert world.states() == {3: "reserved"}
    assert open_batches(world) == [TOKYO_MORNING]

    world.now = TOKYO_MORNING - A_MINUTE
    assert reconciled(world) == []
    world.now = TOKYO_MORNING
    assert reconciled(world) == ["u3@example.com"]
    assert world.states() == {3: "accepted"}


def held_up_into_the_evening_of_tokyo(world: World) -> None:
    """Have the emails of 18:00 in Tokyo wait for an hour; in Tokyo it is quiet by then."""
    quiet(world, "18:30", "08:00")
    world.refresh()
    world.reserve(LIVE)
    world.provider.answers.append(lambda *_: Later(3600, "a limit"))
    world.deliver(LIVE)
    world.now += AN_HOUR


def test_of_a_batch_that_was_held_up_only_those_wait_whose_quiet_hours_have_begun(world: World) -> None:
    world.change(1, dormant=False)
    held_up_into_the_evening_of_tokyo(world)
    world.deliver(LIVE)

    assert world.provider.mailed == ["u2@example.com", "u4@example.com"]
    assert world.states() == {2: "accepted", 3: "reserved", 4: "accepted"}
    assert open_batches(world) == [TOKYO_MORNING]


def test_who_left_the_segment_while_they_waited_for_the_end_of_their_quiet_hours_gets_nothing(world: World) -> None:
    world.change(1, dormant=False)
    held_up_into_the_evening_of_tokyo(world)
    world.deliver(LIVE)
    world.change(3, dormant=False)
    world.now = TOKYO_MORNING

    assert "u3@example.com" not in reconciled(world)
    assert world.states()[3] == "deferred:left_segment"


@pytest.mark.parametrize(("late", "becomes"), [(0 * A_MINUTE, "accepted"), (A_MINUTE, "skipped:too_late")])
def test_what_the_quiet_hours_hold_up_again_and_again_expires_so_long_after_the_first_time_that_it_could_have_left(
    world: World, late: timedelta, becomes: str
) -> None:
    limits = world.settings.limits.model_copy(update={"expires_after": timedelta(days=2)})
    world.settings = replace(world.settings, limits=limits)
    world.change(1, 2, 4, dormant=False)
    held_up_into_the_evening_of_tokyo(world)
    world.deliver(LIVE)
    # Nobody comes by day, until the last morning.
    for day in range(2):
        world.now = TOKYO_MORNING + timedelta(days=day, hours=11)
        assert reconciled(world) == []
        assert open_batches(world) == [TOKYO_MORNING + timedelta(days=day + 1)]
    world.now = TOKYO_MORNING + timedelta(days=2) + late
    reconciled(world)

    assert world.states() == {3: becomes}


def test_simulated_time_has_no_quiet_hours(world: World) -> None:
    quiet(world)
    simulated = world.now - timedelta(days=30)
    now, world.now = world.now, simulated
    world.refresh()
    world.now = now
    world.reserve(OUTBOX, simulated)
    world.deliver(OUTBOX)

    assert world.states() == dict.fromkeys([1, 2, 3, 4], "accepted")


def test_a_child_of_a_batch_that_waited_waits_no_more(world: World) -> None:
    quiet(world)
    world.tick(LIVE)
    world.now = datetime(2026, 3, 2, 13)
    world.provider.answers.append(lambda *_: Later(60, "a limit"))
    reconciled(world)
    world.now += 10 * A_MINUTE

    assert "u1@example.com" in reconciled(world)


class Killed(BaseException):
    """The process is gone."""


def test_what_waited_and_was_frozen_when_its_run_was_killed_is_sent_whatever_its_cron(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: object) -> None:
        raise Killed

    quiet(world)
    world.tick(LIVE)
    world.now = datetime(2026, 3, 2, 13)
    with monkeypatch.context() as patched:
        patched.setattr(advance, "attempt", die)
        with pytest.raises(Killed):
            reconciled(world)
    world.now += 10 * A_MINUTE

    assert "u1@example.com" in reconciled(world)


def test_what_waited_and_met_a_used_up_quota_is_sent_when_it_is_back_and_starts_no_runs_until_then(
    world: World,
) -> None:
    # Two batches: one that was attempted, and one that was not.
    for user in range(10, 160):
        world.add(user, name=NEW_YORK)
    quiet(world)
    world.tick(LIVE)
    world.provider.account = "one"
    world.now = datetime(2026, 3, 2, 13)
    world.provider.answers.append(lambda *_: Throttled(5 * 3600, "daily quota exceeded"))
    reconciled(world)

    wanted = 0
    for _ in range(5 * 60 - 1):
        world.now += A_MINUTE
        wanted += is_wanted(world.engine, "live", world.clock, [world.plan])
        reconciled(world)
    assert "u1@example.com" not in world.provider.mailed
    # For each of the two it is looked once an hour.
    assert wanted <= 10
    for _ in range(5):
        world.now += A_MINUTE
        reconciled(world)

    assert world.states() == dict.fromkeys([*range(1, 5), *range(10, 160)], "accepted")


def test_the_first_of_a_minute_and_the_last_share_a_batch_by_their_hour(world: World) -> None:
    for user in range(10, 130):
        world.add(user, name=NEW_YORK if user % 2 else TOKYO)
    send_at(world, "09:00")
    world.refresh()
    world.reserve(LIVE)

    with world.engine.connect() as connection:
        rows = connection.execute(select(*(batches.c[name] for name in ("not_before", "size"))).where(own(batches)))
        sizes = {str(row.not_before): row.size for row in rows}
    assert sizes == {"None": 1, "2026-03-02 14:00:00": 61, "2026-03-03 00:00:00": 61, "2026-03-03 08:00:00": 1}
