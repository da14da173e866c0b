"""A clock that was wrong, and then right: what it dated ahead stops nobody, and mails nobody twice."""

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from delivery_world import LIVE, START, Script, World, lose_the_answer, make_world, planned
from neighbours import own
from sqlalchemy import Connection, Engine, insert, select, text, update

from skene_dagster.behaviour.rollup.roll_up import roll_up
from skene_dagster.compiler.starting import sensors
from skene_dagster.compiler.starting.sensors import Cursor
from skene_dagster.delivery import controls, ledger
from skene_dagster.delivery.email.message import origin
from skene_dagster.delivery.health import LookedAt, StepHealth, health
from skene_dagster.delivery.providers.base import Absent, Found, Sent, Throttled, Unprovable
from skene_dagster.delivery.reconcile import is_wanted, reconcile
from skene_dagster.errors import LedgerOutdated, NoClearance, ProviderUnavailable, SegmentImplausible
from skene_dagster.loops.planning.usage import plan_usage
from skene_dagster.segments import clearance
from skene_dagster.store import environment
from skene_dagster.store.engine import CLOCKS_DIFFER, transaction
from skene_dagster.store.leasing import leases
from skene_dagster.store.tables import batches, pacing, rollups, user_days
from skene_dagster.store.tables import segments as segments_table

SECOND, MINUTE, HOUR, DAY = (timedelta(**{unit: 1}) for unit in ("seconds", "minutes", "hours", "days"))
PASSED = timedelta(minutes=3)
"""How much real time goes by while a clock is wrong."""


@pytest.fixture
def world(engine: Engine, tmp_path: Path) -> World:
    world = make_world(engine, tmp_path)
    world.settings = replace(
        world.settings, limits=world.settings.limits.model_copy(update={"least_change": 1000, "first_wave": 10_000})
    )
    return world


def put_right(world: World, was_ahead: timedelta) -> None:
    world.now += PASSED - was_ahead


def unanswered(world: World, ahead: timedelta) -> None:
    """An attempt by a clock that is ahead gets no answer, though it arrived."""
    world.now += ahead
    world.add(1)
    world.provider.answers.append(lose_the_answer)
    with pytest.raises(ProviderUnavailable):
        world.tick()
    put_right(world, ahead)


def keys(world: World) -> list[str]:
    return [key for key, _ in world.provider.tried]


def row(world: World) -> dict[str, object]:
    with world.engine.connect() as connection:
        return dict(connection.execute(select(batches).where(own(batches))).mappings().one())


@pytest.mark.parametrize(
    "ahead", [pytest.param(DAY, id="a day"), pytest.param(HOUR, id="an hour"), pytest.param(400 * DAY, id="a year")]
)
def test_what_a_clock_that_was_ahead_sent_is_looked_up_and_not_sent_again(world: World, ahead: timedelta) -> None:
    unanswered(world, ahead)
    wanted = is_wanted(world.engine, "outbox", world.clock, [world.plan])
    world.provider.found = Found(("id",))

    reconcile(world.session(), [world.plan])

    assert wanted
    assert (len(keys(world)), world.states()) == (1, {1: "accepted"})


def test_it_is_looked_up_although_its_loop_is_paused_for_that_sends_nothing(world: World) -> None:
    unanswered(world, DAY)
    transaction(world.engine, lambda c: controls.pause(c, "retention", world.now))

    assert is_wanted(world.engine, "outbox", world.clock, [world.plan])


def test_its_key_stays_over_when_the_moment_that_was_written_is_reached(world: World) -> None:
    unanswered(world, DAY)
    world.provider.found = Unprovable("the records are gone")
    reconcile(world.session(), [world.plan])
    at_first = world.states()
    world.now += DAY + MINUTE

    reconcile(world.session(), [world.plan])
    world.deliver()

    assert len(keys(world)) == 1
    assert at_first == world.states() == {1: "in_doubt:no_answer"}


def test_records_prove_its_absence_only_as_far_back_as_it_may_be(world: World) -> None:
    unanswered(world, DAY)
    world.provider.found = Absent()

    for _ in range(3):
        reconcile(world.session(), [world.plan])
        world.now += timedelta(minutes=11)

    (first, *_), corrected = world.provider.asked, START + PASSED
    assert first[1] <= corrected - 29 * DAY
    assert first[2] >= corrected
    assert len(set(keys(world))) == 1
    world.deliver()
    assert len(set(keys(world))) == 2


def test_clocks_that_differ_as_clocks_do_end_no_key(world: World) -> None:
    unanswered(world, CLOCKS_DIFFER)
    world.now += 10 * MINUTE

    world.deliver()

    assert len(keys(world)) == 2
    assert set(keys(world)) == {keys(world)[0]}
    assert world.provider.asked == []


def test_a_batch_that_was_put_off_by_a_wrong_clock_goes_out(world: World) -> None:
    world.add(1)
    world.refresh()
    world.reserve()
    world.now += DAY
    with world.engine.begin() as connection:
        connection.execute(
            update(batches)
            .where(own(batches))
            .values(due_at=world.now, last_attempt_at=world.now, reserved_at=world.now)
        )
    put_right(world, DAY)

    world.deliver()

    assert world.states() == {1: "accepted"}
    assert row(world)["reserved_at"] == world.now


def test_a_lease_of_a_clock_that_was_ahead_holds_up_nobody(world: World) -> None:
    world.add(1)
    world.refresh()
    world.reserve()
    batch = str(row(world)["batch_id"])
    transaction(world.engine, lambda c: ledger.claim(c, batch, "the dead", world.now + DAY))

    world.deliver()

    assert world.states() == {1: "accepted"}
    assert sum(world.paused) < 1


def test_a_lease_that_was_renewed_just_now_by_a_clock_that_is_seconds_ahead_holds(world: World) -> None:
    world.add(1)
    world.refresh()
    world.reserve()
    batch = str(row(world)["batch_id"])
    transaction(world.engine, lambda c: ledger.claim(c, batch, "the living", world.now + 30 * SECOND))

    taken = transaction(world.engine, lambda c: ledger.claim(c, batch, "another", world.now))

    assert taken is None


def test_a_turn_of_a_clock_that_was_ahead_holds_up_no_refresh(world: World) -> None:
    world.add(1)
    world.refresh()
    with world.engine.begin() as connection:
        held = update(segments_table).where(own(segments_table))
        connection.execute(held.values(owner="the dead", lease_until=world.now + DAY))
    world.now += HOUR

    world.tick()

    assert world.states() == {1: "accepted"}


def look(world: World) -> StepHealth:
    return transaction(world.engine, lambda c: health(c, [LookedAt(world.plan, world.step)], "outbox", world.now)[0])


def test_emails_behind_a_lease_that_cannot_be_are_stuck(world: World) -> None:
    world.add(1)
    world.refresh()
    world.reserve()
    batch = str(row(world)["batch_id"])
    transaction(world.engine, lambda c: ledger.claim(c, batch, "the dead", world.now + 3 * DAY))
    world.now += 2 * HOUR

    assert look(world).stuck == 1


def test_a_step_that_was_refreshed_for_a_tick_to_come_is_told(world: World) -> None:
    world.add(1)
    world.now += DAY
    world.tick()
    wrong = look(world).ahead
    put_right(world, DAY)

    assert (wrong, look(world).ahead) == (False, True)


# Pace.


def limited(world: World) -> Script:
    world.provider.account = "one"
    return world.provider


@pytest.mark.parametrize("ahead", [pytest.param(DAY, id="a day"), pytest.param(11 * MINUTE, id="eleven minutes")])
def test_a_turn_far_ahead_makes_no_run_wait(world: World, ahead: timedelta) -> None:
    limited(world)
    world.add(1, 2)
    world.refresh()
    world.now += ahead
    transaction(world.engine, world.session().outlet("resend").pacing.take)
    transaction(world.engine, world.session().outlet("resend").pacing.take)
    put_right(world, ahead)
    world.reserve(as_of=START)

    delivered = world.deliver()

    assert (delivered.stopped_because, world.states()) == ("", {1: "accepted", 2: "accepted"})
    assert sum(world.paused) < 2
    with world.engine.connect() as connection:
        assert connection.execute(select(pacing.c.next_at).where(own(pacing))).scalar_one() < world.now + MINUTE


def test_a_quota_that_ends_further_ahead_than_one_can_be_is_tried(world: World) -> None:
    limited(world)
    world.add(1)
    world.refresh()
    world.reserve()
    transaction(world.engine, world.session().outlet("resend").pacing.take)
    world.now += DAY
    world.session().outlet("resend").pacing.hold(world.now + HOUR, "daily_quota_exceeded", closes=True)
    put_right(world, DAY)

    delivered = world.deliver()

    assert (delivered.stopped_because, world.states()) == ("", {1: "accepted"})
    with world.engine.connect() as connection:
        assert connection.execute(select(pacing.c.closed_until).where(own(pacing))).scalar_one() is None


def test_nothing_is_closed_for_longer_than_a_day_at_a_time(world: World) -> None:
    limited(world)
    world.add(1)
    world.refresh()
    world.reserve()
    world.provider.answers.append(lambda *_: Throttled(40 * 86400.0, "monthly_quota_exceeded"))
    world.deliver()
    world.now += HOUR
    too_early = world.deliver().stopped_because
    world.now += DAY

    world.deliver()

    assert (too_early, len(keys(world))) == ("monthly_quota_exceeded", 2)
    assert world.states() == {1: "accepted"}


def test_no_sleep_before_the_records_are_read_is_longer_than_a_minute(world: World) -> None:
    limited(world)
    session = world.session()
    transaction(world.engine, session.outlet("resend").pacing.take)
    transaction(
        world.engine, lambda c: c.execute(update(pacing).where(own(pacing)).values(next_at=world.now + 170 * SECOND))
    )

    session.slot_wait(session.outlet("resend"))(3600.0)

    assert max(world.paused) <= 60


def test_a_batch_whose_key_is_worked_on_is_put_off_for_an_hour_at_most(world: World) -> None:
    world.add(1)
    world.refresh()
    world.reserve()
    world.provider.answers.append(lambda *_: Throttled(86400.0, "409", everybody=False))

    world.deliver()

    assert row(world)["due_at"] == world.now + HOUR


# Orders and gates.


def test_an_order_to_cancel_of_a_clock_that_was_ahead_cancels_nothing_that_comes_after_it(world: World) -> None:
    transaction(world.engine, lambda c: controls.cancel(c, "retention", world.now + DAY))
    world.add(1)

    world.tick()

    assert world.states() == {1: "accepted"}


def test_an_order_to_cancel_drops_what_a_clock_that_was_ahead_has_reserved(world: World) -> None:
    world.now += DAY
    world.add(1)
    world.refresh()
    world.reserve()
    put_right(world, DAY)

    dropped = transaction(world.engine, lambda c: ledger.cancel(c, "retention", world.now, world.now))

    assert (dropped, world.states()) == (1, {1: "skipped:cancelled"})


def test_a_change_is_accepted_once_by_whichever_clock(world: World) -> None:
    limits = world.settings.limits.model_copy(update={"least_change": 0, "explosion": 1000.0})
    world.settings = replace(world.settings, limits=limits)
    world.add(*range(10))
    world.refresh()
    with world.engine.begin() as connection:
        connection.execute(
            text("UPDATE skene_segments SET refreshed_at = '2026-03-09' WHERE segment = 'retention.main'")
        )
    world.change(*range(8), dormant=False)
    world.now += HOUR
    with pytest.raises(SegmentImplausible):
        world.refresh()
    transaction(world.engine, lambda c: clearance.accept(c, "retention.main", world.now))

    world.refresh()
    world.change(*range(8), dormant=True)
    world.now += HOUR
    world.refresh()
    world.change(*range(8), dormant=False)
    world.now += HOUR

    with pytest.raises(SegmentImplausible):
        world.refresh()


# What is counted, and what was sent.


def visit(world: World, number: int) -> None:
    with world.engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO skene_events (event_id, user_id, name, occurred_at, received_at) "
                "VALUES (:id, 1, 'visit', :at, :at)"
            ),
            {"id": f"e{number}", "at": world.now.isoformat(" ", "microseconds")},
        )


CALLED = """\
type: activation
steps:
  - trigger: {type: event, name: visit}
    condition: {type: query, query: SELECT id FROM users WHERE dormant = true}
    action: {type: email, template: hello, personalization: {name: "{{user.name}}"}}
"""


def wakes(world: World, before: Cursor | None) -> Cursor | None:
    def asked(connection: Connection) -> Cursor | None:
        return sensors.look(connection, world.plan, world.step, world.settings, before, world.now)

    return transaction(world.engine, asked)


def test_a_row_that_lies_ahead_hides_none_that_comes_before_it(world: World) -> None:
    world.plan = planned(world.root, world.settings, CALLED)
    first = wakes(world, None)
    world.now += DAY
    visit(world, 1)
    put_right(world, DAY)
    too_early = wakes(world, first)
    world.now += HOUR
    visit(world, 2)

    came = wakes(world, first)

    assert too_early is not None
    assert (first, too_early.seen, came) == (Cursor(START, START), START, Cursor(world.now, world.now))


@pytest.mark.parametrize("wrong", ["seen", "woke"])
def test_a_cursor_of_a_clock_that_was_ahead_begins_anew(world: World, wrong: str) -> None:
    world.plan = planned(world.root, world.settings, CALLED)
    before = replace(Cursor(START, START), **{wrong: START + DAY})

    assert wakes(world, before) == Cursor(START, START)


def count(world: World, as_of: datetime) -> None:
    plan = plan_usage(world.settings)
    roll_up(world.engine, plan=plan, users=world.settings.users, as_of=as_of, clock=world.clock, run_id="run")


@pytest.mark.parametrize(
    "rollups_fail_meanwhile",
    [
        pytest.param(True, id="by a rollup for a tick that is overtaken by the wrong one"),
        pytest.param(False, id="by the next rollup"),
    ],
)
def test_what_was_done_after_a_rollup_of_a_wrong_clock_is_counted(
    world: World, *, rollups_fail_meanwhile: bool
) -> None:
    world.add(1)
    visit(world, 1)
    world.now += DAY
    count(world, world.now if rollups_fail_meanwhile else START + MINUTE)
    put_right(world, DAY)
    world.now += HOUR
    visit(world, 2)
    world.now += HOUR

    count(world, world.now)
    world.now += 2 * DAY
    count(world, world.now)

    with world.engine.connect() as connection:
        assert connection.execute(select(user_days.c.uses)).scalars().all() == [2]
        assert connection.execute(select(rollups.c.watermark)).scalar_one() == world.now


def test_of_rollups_that_counted_by_a_wrong_clock_each_doubts_its_own(world: World) -> None:
    with world.engine.begin() as connection:
        connection.execute(insert(rollups), [{"rollup": name, "fence": 0, "watermark": START + DAY} for name in "ab"])
        leases.doubt_the_watermark(connection, "a", START)

        kept = dict(connection.execute(select(rollups.c.rollup, rollups.c.watermark)).all())

    assert (kept["a"], kept["b"]) == (None, START + DAY)


def test_a_ledger_of_a_backup_is_found_out_although_a_clock_was_ahead(world: World) -> None:
    world.add(1)
    world.tick(LIVE)
    with world.engine.begin() as connection:
        connection.execute(update(batches).where(own(batches)).values(last_attempt_at=world.now + DAY))
    mine = transaction(world.engine, environment.ledger_id)
    world.now += HOUR
    world.provider.records.append(Sent("id-later", world.now, "a send", origin(mine, "a batch")))
    world.add(2)
    world.refresh()
    world.reserve(LIVE)

    with pytest.raises(LedgerOutdated):
        world.deliver(LIVE)


@pytest.mark.parametrize("ahead", [pytest.param(6 * MINUTE, id="six minutes"), pytest.param(DAY, id="a day")])
def test_a_tick_of_a_clock_that_ahead_is_refused_with_both_clocks(
    world: World, ahead: timedelta, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("skene_dagster.store.engine._utc_now", lambda: START + ahead)

    with pytest.raises(NoClearance) as refused:
        world.reserve(LIVE, as_of=START + ahead)

    told = str(refused.value)
    assert f"The run is for {START + ahead} UTC, which is still to come; its emails may not leave." in told
    assert f"It is {START} UTC by the database's clock, and {START + ahead} by this machine's." in told
    assert "NTP" in told
