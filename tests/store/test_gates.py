"""Gates hold a whole step at a tick: nobody is decided about, what is open leaves, and nobody is lost."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from delivery_world import LIVE, LOOP, OUTBOX, SETTINGS, START, World, make_world, planned
from neighbours import own
from sqlalchemy import Connection, Engine, select, text

from skene_dagster import settings as settings_module
from skene_dagster.consent import suppressions
from skene_dagster.consent.recipient import Recipients
from skene_dagster.consent.suppressions import Scope, Suppression
from skene_dagster.delivery import controls, ledger
from skene_dagster.delivery.decide.reserve import Reserved
from skene_dagster.delivery.decide.tick import Hold
from skene_dagster.delivery.ledger import StepScope
from skene_dagster.delivery.rehearsal import Stage, rehearse
from skene_dagster.store.engine import is_sqlite, transaction
from skene_dagster.store.tables import steps

SCOPE = StepScope("live", "retention", "main")
USERS_ARE_FRESH = "fresh: [{table: users, column: last_activity_at, within: 26h}]\n"
A_DAY = timedelta(days=1)


@pytest.fixture
def world(engine: Engine, tmp_path: Path) -> World:
    return make_world(engine, tmp_path)


def configure(world: World, more: str = "", loop: str = LOOP, **limits: object) -> None:
    """Write skene.yaml with something more in it, and a loop."""
    (world.root / "skene.yaml").write_text(SETTINGS + more, encoding="utf-8")
    loaded = settings_module.load(world.root, {})
    # Only the gates are to judge.
    asked = {"least_change": 0, "explosion": 1e9, "collapse": 1.0, "slices": "off", **limits}
    world.settings = replace(loaded, limits=loaded.limits.model_copy(update=asked))
    world.plan = planned(world.root, world.settings, loop)


def tick(world: World) -> Reserved:
    world.refresh()
    reserved = world.reserve(LIVE)
    world.deliver(LIVE)
    return reserved


def held(reserved: Reserved) -> Hold:
    assert reserved.hold is not None
    return reserved.hold


def accept(world: World, *gates: ledger.StepProgress | str) -> None:
    known = transaction(world.engine, lambda c: ledger.accept(c, SCOPE, gates))  # type: ignore[arg-type]
    assert known is not None


def reserved_as_of(world: World) -> datetime | None:
    query = select(steps.c.reserved_as_of).where(own(steps), steps.c.mode == "live")
    with world.engine.connect() as connection:
        found: datetime | None = connection.execute(query).scalar_one()
    return found


def mailed(world: World) -> list[str]:
    return world.provider.mailed


def say_no(world: World, users: Iterable[int], scope: Scope) -> None:
    def write(connection: Connection) -> None:
        by_hash = Recipients.of(connection)
        addresses = (f"u{n}@example.com" for n in users)
        said = [Suppression(by_hash.address(one), scope, START, "manual", "a test") for one in addresses]
        suppressions.suppress(connection, said, START)

    transaction(world.engine, write)


# A source that is not fresh


def test_while_a_table_is_not_fresh_nobody_is_decided_about_and_then_all_are_mailed_once(world: World) -> None:
    configure(world, USERS_ARE_FRESH)
    world.add(1, 2, last_activity_at=world.now - timedelta(hours=27))
    first = tick(world)
    world.days_pass(1)
    world.add(3)
    second = tick(world)
    nobody, up_to = world.states(), reserved_as_of(world)
    world.days_pass(1)
    world.change(1, last_activity_at=world.now - timedelta(hours=25))

    third = tick(world)
    world.days_pass(0.04)
    world.tick(LIVE)

    assert (first.counts, second.counts) == ({"deferred:fresh": 2}, {"deferred:fresh": 3})
    assert (nobody, up_to) == ({}, None)
    assert (third.hold, third.counts) == (None, {"mail": 3})
    assert mailed(world) == ["u1@example.com", "u2@example.com", "u3@example.com"]


def test_a_gate_says_what_was_measured_what_is_allowed_and_what_to_do(world: World) -> None:
    configure(world, USERS_ARE_FRESH)
    world.add(1, last_activity_at=datetime(2026, 2, 28, 15, 30))

    reserved = tick(world)

    assert held(reserved).said == {
        "fresh": "users.last_activity_at is not fresh: its newest moment is 28 Feb 2026, 15:30 UTC, 42 hours before "
        "the tick, and `fresh` allows 26h. Look at what writes users. The first tick after that decides about all who "
        "wait."
    }
    (gate,) = [gate for gate in reserved.gates if gate.name == "fresh"]
    assert gate.measured == {"hours_since_users.last_activity_at": 41.5, "hours_since_users.last_activity_at_limit": 26}


@pytest.mark.parametrize(
    ("age", "is_fresh"),
    [pytest.param(timedelta(hours=26), True, id="just"), pytest.param(timedelta(hours=26, seconds=1), False, id="not")],
)
def test_a_table_is_fresh_up_to_the_second_that_its_author_wrote(
    world: World, age: timedelta, *, is_fresh: bool
) -> None:
    configure(world, USERS_ARE_FRESH)
    world.add(1, last_activity_at=world.now - age)

    assert (tick(world).hold is None) == is_fresh


def test_what_is_open_leaves_while_a_gate_holds_the_step(world: World) -> None:
    configure(world, USERS_ARE_FRESH)
    world.add(1, last_activity_at=world.now)
    world.refresh()
    world.reserve(LIVE)
    world.days_pass(2)
    world.add(2)

    reserved = tick(world)

    assert held(reserved).reason == "fresh"
    assert (mailed(world), world.states()) == (["u1@example.com"], {1: "accepted"})


@pytest.mark.parametrize(
    ("declared", "unit", "fresh", "stale"),
    [
        pytest.param("DATETIME(6)", "", "'2026-03-01 10:00:00'", "'2026-03-01 06:00:00'", id="moments in UTC"),
        pytest.param("DATE", "", "'2026-03-02'", "'2026-03-01'", id="dates"),
        # 12:00 in Auckland is 23:00 UTC of the day before.
        pytest.param("VARCHAR(40)", "", "'2026-03-02T12:00:00+13:00'", "'2026-03-01T19:00:00+13:00'", id="texts"),
        pytest.param("BIGINT", ", unit: seconds", "1772359200", "1772344800", id="seconds"),
        pytest.param("BIGINT", ", unit: milliseconds", "1772359200000", "1772344800000", id="milliseconds"),
    ],
)
def test_a_source_keeps_its_moments_in_any_form(world: World, declared: str, unit: str, fresh: str, stale: str) -> None:
    configure(world, f"fresh: [{{table: loads, column: {{column: loaded_at{unit}}}, within: 26h}}]\n")
    world.add(1)
    with world.engine.begin() as connection:
        connection.execute(text(f"CREATE TABLE loads (id INTEGER, loaded_at {declared})"))
        connection.execute(text(f"INSERT INTO loads VALUES (1, {stale}), (2, NULL)"))
    before = tick(world)
    with world.engine.begin() as connection:
        connection.execute(text(f"INSERT INTO loads VALUES (3, {fresh})"))
    world.now += timedelta(seconds=1)

    after = tick(world)

    assert held(before).reason == "fresh"
    assert (after.hold, after.counts) == (None, {"mail": 1})


def test_a_moment_that_is_still_to_come_makes_nothing_fresh(world: World) -> None:
    configure(world, USERS_ARE_FRESH)
    world.add(1, last_activity_at=world.now - timedelta(days=3))
    world.add(2, last_activity_at=world.now + timedelta(days=300))

    assert "27 Feb 2026, 09:00 UTC, 72 hours before the tick" in held(tick(world)).said["fresh"]


@pytest.mark.parametrize(
    "moments",
    [
        pytest.param([], id="the table is empty"),
        pytest.param([None], id="there is no value"),
        pytest.param([START + timedelta(days=1)], id="all are still to come"),
    ],
)
def test_a_table_without_a_moment_up_to_now_is_not_fresh(world: World, moments: Sequence[datetime | None]) -> None:
    configure(world, "fresh: [{table: loads, column: loaded_at, within: 26h}]\n")
    world.add(1)
    with world.engine.begin() as connection:
        connection.execute(text("CREATE TABLE loads (loaded_at DATETIME)"))
        for moment in moments:
            value = "NULL" if moment is None else f"'{moment}'"
            connection.execute(text(f"INSERT INTO loads VALUES ({value})"))

    assert held(tick(world)).said["fresh"].startswith("loads.loaded_at has no moment up to now. Look at what writes")


def test_a_value_that_is_no_moment_makes_nothing_fresh_and_breaks_nothing(world: World) -> None:
    configure(world, "fresh: [{table: loads, column: loaded_at, within: 26h}]\n")
    world.add(1)
    with world.engine.begin() as connection:
        connection.execute(text("CREATE TABLE loads (loaded_at VARCHAR(20))"))
        connection.execute(text("INSERT INTO loads VALUES ('yesterday'), ('2026-03-02 08:00'), ('9999-99-99')"))

    assert tick(world).hold is None


@pytest.mark.parametrize(
    ("fresh", "said"),
    [
        pytest.param("{table: loads, column: at, within: 1h}", ":6  fresh.0.table\n  Table 'loads' is not", id="table"),
        pytest.param(
            "{table: users, column: last_activty_at, within: 1h}",
            ":6  fresh.0.column\n  Table 'users' has no column 'last_activty_at'. Did you mean 'last_activity_at'?",
            id="column",
        ),
        pytest.param(
            "{table: users, column: {column: last_activity_at, unit: seconds}, within: 1h}",
            ":6  fresh.0.column\n  users.last_activity_at does not hold numbers",
            id="unit",
        ),
        pytest.param("{table: users, column: id, within: 1h}", "id holds numbers", id="numbers without a unit"),
    ],
)
def test_a_gate_that_cannot_be_read_holds_the_step_and_says_where_it_is_written(
    world: World, fresh: str, said: str
) -> None:
    world.add(1, last_activity_at=world.now)
    configure(world)
    world.refresh()
    world.reserve(LIVE)
    world.days_pass(1)
    world.add(2)
    configure(world, f"fresh: [{fresh}]\n")

    reserved = tick(world)

    assert said in held(reserved).said["fresh"]
    assert held(reserved).said["fresh"].startswith("skene.yaml:6  fresh.0.")
    assert mailed(world) == ["u1@example.com"]


def test_a_table_that_takes_too_long_to_read_holds_the_step(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    configure(world, "fresh: [{table: loads, column: loaded_at, within: 26h}]\n")
    world.add(1)
    with world.engine.begin() as connection:
        connection.execute(text("CREATE TABLE numbers (n INTEGER NOT NULL PRIMARY KEY)"))
        connection.execute(text("INSERT INTO numbers VALUES (:n)"), [{"n": n} for n in range(300)])
        of = "FROM numbers a, numbers b, numbers c, numbers d WHERE a.n + b.n + c.n + d.n < 0"
        connection.execute(text(f"CREATE VIEW loads AS SELECT '2026-03-02' AS loaded_at {of}"))
    monkeypatch.setattr("skene_dagster.checks.fresh_sources.READ_FOR", timedelta(seconds=1))

    said = held(tick(world)).said["fresh"]

    assert said.startswith("skene.yaml:6  fresh.0.column\n  Finding the newest moment of loads.loaded_at took longer")


def test_a_loop_has_tables_of_its_own_in_place_of_those_of_all_loops(world: World) -> None:
    world.add(1, last_activity_at=world.now - timedelta(hours=3))
    ours = "fresh:\n  - {table: users, column: last_activity_at, within: 2h}\n"
    configure(world, USERS_ARE_FRESH, LOOP + ours)
    strict = tick(world)
    configure(world, USERS_ARE_FRESH.replace("26h", "1h"), LOOP + "fresh: []\n")
    world.now += timedelta(seconds=1)

    without = tick(world)

    assert "`fresh` allows 2h" in held(strict).said["fresh"]
    assert (without.hold, without.counts) == (None, {"mail": 1})


def test_a_fault_in_a_loops_own_table_is_told_at_its_line_in_the_loop(world: World) -> None:
    world.add(1)
    configure(world, loop=LOOP + "fresh:\n  - table: users\n    column: nothing\n    within: 2h\n")

    line = len(LOOP.splitlines()) + 3
    assert held(tick(world)).said["fresh"].startswith(f"loops/retention.yaml:{line}  fresh.0.column\n")


# Addresses that cannot be mailed


def test_too_many_addresses_that_cannot_be_mailed_hold_the_step_until_they_are_mended(world: World) -> None:
    configure(world, unmailable=0.2)
    world.add(*range(1, 71))
    world.add(*range(71, 81), email=None)
    world.add(*range(81, 91), email="nobody")
    world.add(*range(91, 101))
    say_no(world, range(91, 101), "all")

    stopped = tick(world)
    world.days_pass(1)
    for n in range(71, 91):
        world.change(n, email=f"u{n}@example.com")
    mended = tick(world)

    assert stopped.counts == {"deferred:unmailable": 100}
    assert (
        "30 of 100 users who enter (30%) have no address that can be mailed (10 missing, 10 invalid, 10 suppressed), "
        "and limits.unmailable is 20%."
    ) in held(stopped).said["unmailable"]
    assert mended.counts == {"mail": 90, "skipped:suppressed": 10}


def test_few_addresses_that_cannot_be_mailed_and_a_share_below_the_limit_hold_nobody(world: World) -> None:
    configure(world, unmailable=0.2)
    world.add(*range(1, 20), email=None)
    few = tick(world)
    world.days_pass(1)
    world.add(*range(20, 100))
    world.add(*range(100, 120), email=None)

    some = tick(world)

    assert (few.hold, few.counts) == (None, {"deferred:no_address": 19})
    assert (some.hold, some.counts["mail"]) == (None, 80)


def test_who_may_not_be_mailed_or_wants_nothing_has_no_bad_address(world: World) -> None:
    configure(world, unmailable=0.0)
    world.add(1)
    world.add(*range(2, 40), verified=False, email=None)
    world.add(*range(40, 80))
    say_no(world, range(40, 80), "marketing")

    reserved = tick(world)

    assert (reserved.hold, reserved.counts["mail"], reserved.counts["skipped:said_no"]) == (None, 1, 40)


# More emails than the step ever has


def test_a_tick_with_many_more_emails_than_the_largest_of_four_weeks_waits_for_a_person(world: World) -> None:
    configure(world, volume=3.0)
    world.add(*range(1, 5))
    tick(world)
    world.days_pass(27)
    world.add(*range(5, 18))

    stopped = tick(world)
    accept(world, "volume")
    world.now += timedelta(seconds=1)
    passed = tick(world)

    assert stopped.counts == {"deferred:volume": 13}
    assert (
        "It would send 13 emails. The largest tick of the last 28d had 4, and limits.volume is 3x."
        in held(stopped).said["volume"]
    )
    assert (passed.hold, passed.counts, len(mailed(world))) == (None, {"mail": 13}, 17)


def test_up_to_the_multiple_and_below_the_least_change_a_tick_may_have_more(world: World) -> None:
    configure(world, volume=3.0)
    world.add(*range(1, 5))
    tick(world)
    world.days_pass(1)
    world.add(*range(5, 17))
    thrice = tick(world)
    configure(world, volume=1.0, least_change=40)
    world.days_pass(1)
    world.add(*range(17, 56))

    few = tick(world)

    assert (thrice.hold, thrice.counts) == (None, {"mail": 12})
    assert (few.hold, few.counts) == (None, {"mail": 39})


def test_the_emails_of_a_tick_are_counted_not_its_users(world: World) -> None:
    configure(world, volume=1.0)
    world.add(1)
    tick(world)
    world.days_pass(1)
    world.add(2)
    world.add(*range(3, 30), verified=False)

    reserved = tick(world)

    (gate,) = [gate for gate in reserved.gates if gate.name == "volume"]
    assert reserved.counts == {"mail": 1, "deferred:not_mailable": 27}
    assert gate.measured == {"volume": 1, "volume_limit": 1}


def test_the_first_emails_of_a_step_are_not_judged_by_their_number_but_those_after_four_quiet_weeks_are(
    world: World,
) -> None:
    configure(world, volume=3.0)
    world.add(*range(1, 30))
    first = tick(world)
    world.days_pass(29)
    world.add(30)

    again = tick(world)

    assert (first.hold, len(mailed(world))) == (None, 29)
    assert "had 0, and limits.volume" in held(again).said["volume"]


def test_who_entered_while_the_step_was_held_counts_for_the_ticks_at_which_they_entered(world: World) -> None:
    configure(world, USERS_ARE_FRESH, volume=1.0)
    world.add(1, 2, last_activity_at=world.now)
    tick(world)
    for day in range(1, 6):
        world.days_pass(1 if day > 1 else 2)
        world.add(10 * day, 10 * day + 1)
        assert held(tick(world)).reason == "fresh"
    world.days_pass(1)
    world.change(1, last_activity_at=world.now)

    reserved = tick(world)

    assert (reserved.hold, reserved.counts) == (None, {"mail": 10})


def test_all_who_were_deferred_and_are_due_count_for_the_tick_at_which_they_are(world: World) -> None:
    configure(world, volume=1.0)
    world.add(1)
    world.add(*range(2, 30), verified=False)
    tick(world)
    world.days_pass(1)
    world.change(*range(2, 30), verified=True)
    page = 5
    world.refresh()

    reserved = world.reserve(LIVE, page=page)

    assert "It would send 28 emails." in held(reserved).said["volume"]
    assert reserved.batches == 0


def test_emails_of_another_mode_and_batches_that_were_split_are_no_part_of_the_largest_tick(world: World) -> None:
    configure(world, volume=2.0)
    world.add(1, 2)
    tick(world)
    world.refresh()
    world.reserve(OUTBOX)
    with world.engine.connect() as connection:
        live = ledger.largest_tick(connection, SCOPE, START - A_DAY, START + A_DAY)
        before = ledger.largest_tick(connection, SCOPE, START - A_DAY, START)

    assert (live, before) == (2, 0)


# What a person lets pass


def test_what_a_person_accepts_is_one_gate_for_one_tick(world: World) -> None:
    configure(world, USERS_ARE_FRESH)
    world.add(1)
    tick(world)
    accept(world, "volume")
    world.now += timedelta(seconds=1)
    another = tick(world)
    accept(world, "fresh")
    world.now += timedelta(seconds=1)
    passed = tick(world)
    world.add(2)
    world.now += timedelta(seconds=1)

    after = tick(world)

    assert (held(another).reason, held(after).reason) == ("fresh", "fresh")
    assert (passed.hold, passed.counts) == (None, {"mail": 1})
    assert mailed(world) == ["u1@example.com"]


def test_two_gates_that_hold_a_step_are_both_told_and_both_to_be_accepted(world: World) -> None:
    configure(world, USERS_ARE_FRESH, unmailable=0.1)
    world.add(*range(1, 30), email=None)
    stopped = tick(world)
    accept(world, "fresh")
    world.now += timedelta(seconds=1)
    left = tick(world)
    accept(world, "unmailable")
    world.now += timedelta(seconds=1)

    passed = tick(world)

    assert list(held(stopped).said) == ["fresh", "unmailable"]
    assert list(held(left).said) == ["unmailable"]
    assert (passed.hold, passed.counts) == (None, {"deferred:no_address": 29})


def test_a_tick_that_dies_half_way_goes_on_with_what_was_accepted(world: World) -> None:
    configure(world, USERS_ARE_FRESH)
    world.add(1, 2, 3)
    tick(world)
    accept(world, "fresh")
    world.now += timedelta(seconds=1)
    world.refresh()

    def die(_decided: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        world.reserve(LIVE, progress=die, page=1)
    half = world.states()
    again = world.reserve(LIVE, page=1)
    with world.engine.connect() as connection:
        after = ledger.progress(connection, SCOPE)

    assert half == {1: "reserved"}
    assert again.counts["mail"] == 2
    assert after is not None
    assert (after.hold, after.said, after.accepted) == (None, {}, frozenset())


def test_nothing_is_accepted_of_a_step_that_has_never_run(world: World) -> None:
    assert transaction(world.engine, lambda c: ledger.accept(c, SCOPE, ["fresh"])) is None


def test_a_first_wave_is_a_gate_that_approval_opens_for_good(world: World) -> None:
    configure(world, USERS_ARE_FRESH, first_wave=1)
    world.add(1, 2)
    both = tick(world)
    transaction(world.engine, lambda c: controls.approve(c, "retention", "main", world.now))
    world.change(1, last_activity_at=world.now)
    world.now += timedelta(seconds=1)

    approved = tick(world)

    assert list(held(both).said) == ["fresh", "first_wave"]
    assert (
        held(both)
        .said["first_wave"]
        .startswith("It never mailed anybody, and would now send 2 emails (limits.first_wave is 1).")
    )
    assert (approved.hold, approved.counts) == (None, {"mail": 2})


def test_a_pause_is_told_before_any_gate_and_what_gates_said_is_forgotten(world: World) -> None:
    configure(world, USERS_ARE_FRESH)
    world.add(1)
    tick(world)
    transaction(world.engine, lambda c: controls.pause(c, "retention", world.now))
    world.now += timedelta(seconds=1)

    paused = tick(world)
    with world.engine.connect() as connection:
        known = ledger.progress(connection, SCOPE)

    assert held(paused) == Hold("paused", {})
    assert known is not None
    assert (known.hold, known.said) == ("paused", {})


def test_a_rehearsal_is_held_like_real_mail_but_needs_no_approval(world: World) -> None:
    configure(world, USERS_ARE_FRESH, first_wave=0)
    world.add(1)
    world.refresh()

    assert list(held(world.reserve(OUTBOX)).said) == ["fresh"]


def test_without_gates_nothing_is_read_and_nobody_is_held(world: World) -> None:
    configure(world)
    world.add(1, email=None)

    reserved = tick(world)

    assert [gate.name for gate in reserved.gates] == ["first_wave"]
    assert reserved.hold is None
    assert not is_sqlite(world.engine) or reserved_as_of(world) == world.now


# What a preview says before


def rehearsed(world: World) -> dict[str, str]:
    stage = Stage(world.engine, world.plan, world.step, world.settings, LIVE, world.now)
    return {str(name): said for name, said in rehearse(stage, 1).held.items()}


def test_a_preview_says_of_each_gate_what_the_run_then_says(world: World) -> None:
    configure(world, USERS_ARE_FRESH, unmailable=0.2, volume=2.0)
    world.add(1, 2, last_activity_at=world.now)
    world.add(3, verified=False)
    tick(world)
    world.days_pass(2)
    world.change(3, verified=True)
    world.add(*range(10, 15))
    world.add(*range(20, 50), email=None)

    before = rehearsed(world)

    assert list(before) == ["fresh", "unmailable", "volume"]
    assert "30 of 35 users who enter (86%)" in before["unmailable"]
    # Five who enter, and the one who may be mailed by now.
    assert "It would send 6 emails." in before["volume"]
    assert before == held(tick(world)).said


def test_a_preview_says_that_a_first_wave_waits_and_leaves_out_what_a_person_lets_pass(world: World) -> None:
    configure(world, USERS_ARE_FRESH, first_wave=1)
    world.add(1, 2)
    first = rehearsed(world)
    tick(world)
    accept(world, "fresh")
    waits = rehearsed(world)
    transaction(world.engine, lambda c: controls.approve(c, "retention", "main", world.now))

    assert (list(first), list(waits), rehearsed(world)) == (["fresh", "first_wave"], ["first_wave"], {})


def test_a_preview_of_rows_that_trigger_says_what_holds_them(world: World) -> None:
    world.add(1)
    trigger = "{type: database, table: users, event: insert, user: id, at: last_activity_at}"
    loop = LOOP.replace('{type: schedule, cron: "0 9 * * *"}', trigger)
    assert loop != LOOP
    configure(world, USERS_ARE_FRESH, loop)

    assert list(rehearsed(world)) == ["fresh"]
