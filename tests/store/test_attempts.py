"""The rules of one attempt, each with what would go wrong without it: keys, clocks, numbers, orders, records."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from delivery_world import LIVE, START, Script, World, lose_the_answer, make_world, never_arrive
from neighbours import own
from sqlalchemy import Engine, select

from skene_dagster.delivery import controls, ledger
from skene_dagster.delivery.email.message import Frozen, Message
from skene_dagster.delivery.email.templates import Templates
from skene_dagster.delivery.providers.base import (
    Absent,
    Answer,
    Finding,
    Found,
    RateLimit,
    Refused,
    Sent,
    SlotWait,
    Throttled,
    Unknown,
    Unprovable,
    at_once,
)
from skene_dagster.delivery.providers.json_emails import messages_of
from skene_dagster.delivery.reconcile import is_wanted, reconcile
from skene_dagster.delivery.send.deliver import deliver
from skene_dagster.errors import ProviderUnavailable
from skene_dagster.settings import Settings
from skene_dagster.store.engine import transaction
from skene_dagster.store.tables import batches, pacing, sends


@pytest.fixture
def world(engine: Engine, tmp_path: Path) -> World:
    return make_world(engine, tmp_path)


def answer(given: Answer) -> Callable[[Script, Sequence[Message], str], Answer]:
    return lambda _provider, _messages, _key: given


def reserved(world: World, count: int = 1) -> None:
    world.add(*range(1, count + 1))
    world.refresh()
    world.reserve()


def unresolved_since(world: World) -> list[datetime | None]:
    with world.engine.connect() as connection:
        return list(connection.execute(select(batches.c.unresolved_since).where(own(batches))).scalars())


def left_without_answer(world: World, how: Callable[[Script, Sequence[Message], str], Answer]) -> None:
    reserved(world)
    world.provider.answers.append(how)
    with pytest.raises(ProviderUnavailable):
        world.deliver()


def test_while_the_provider_is_called_the_ledger_says_that_it_may_have_the_batch(world: World) -> None:
    reserved(world)
    seen: list[object] = []

    def look(provider: Script, messages: Sequence[Message], key: str) -> Answer:
        with world.engine.connect() as connection:
            row = connection.execute(select(batches).where(own(batches))).one()
            frozen = ledger.frozen(connection, row.batch_id)
        seen.extend([row.state, row.unresolved_since, row.attempts, key.endswith(f"/{row.batch_id}")])
        assert frozen is not None
        assert messages_of(frozen) == tuple(messages)
        return provider.accept(messages, key)

    world.provider.answers.append(look)
    world.deliver()

    assert seen == ["frozen", world.now, 1, True]


def test_a_key_names_the_environment_so_that_a_rehearsal_never_meets_the_real_thing(world: World) -> None:
    reserved(world)

    world.deliver()

    assert [key.rpartition("/")[0] for key, _ in world.provider.tried] == ["skene/development"]


def test_what_an_answer_tells_of_the_limit_is_the_pace_from_then_on(world: World) -> None:
    reserved(world)
    world.provider.account, world.provider.rate_limit = "one", RateLimit(5.0, None, 1.0)

    world.deliver()

    with world.engine.connect() as connection:
        assert connection.execute(select(pacing.c.per_second).where(own(pacing))).scalar_one() == 5.0


def test_a_key_that_ends_while_a_turn_is_waited_for_is_not_used_again(world: World) -> None:
    left_without_answer(world, never_arrive)
    world.provider.account = "one"
    world.now = START + timedelta(hours=23, seconds=-3)
    pace = world.session().outlet("resend").pacing
    transaction(world.engine, pace.take)
    pace.hold(world.now + timedelta(seconds=7), "slow down", closes=False)

    world.deliver()

    assert world.now > START + timedelta(hours=23)
    assert len(world.provider.tried) == 1
    assert world.batch_states() == {"in_doubt": 1}


@pytest.mark.parametrize("late", [Throttled(1.0, "slow down"), Refused("bad address")], ids=["throttled", "refused"])
def test_the_late_answer_of_one_who_lost_his_lease_proves_nothing_about_the_attempt_of_another(
    world: World, late: Answer
) -> None:
    reserved(world, 2)
    other = Script(answers=[never_arrive])

    def sleep_through_the_lease(_provider: Script, _messages: Sequence[Message], _key: str) -> Answer:
        world.now += ledger.LEASE + timedelta(seconds=1)
        with pytest.raises(ProviderUnavailable):
            world.deliver(owner="other", provider=other)
        return late

    world.provider.answers += [sleep_through_the_lease, never_arrive]
    with pytest.raises(ProviderUnavailable):
        world.deliver()

    assert None not in unresolved_since(world)
    assert world.batch_states() == {"frozen": 1}
    assert {key for key, _ in [*world.provider.tried, *other.tried]} == {world.provider.tried[0][0]}


@pytest.mark.parametrize("which", ["wall", "set back", "monotonic"])
def test_a_process_that_slept_before_its_post_does_not_post(world: World, which: str) -> None:
    reserved(world)
    session = world.session()
    attempts_at_post: list[int] = []

    def sleeps() -> bool:
        """Whether the first attempt has begun: whatever is asked from then on is asked after the sleep."""
        with world.engine.connect() as connection:
            row = connection.execute(select(batches).where(own(batches))).one()
        return row.attempts == 1 and row.unresolved_since is not None

    def accept(provider: Script, messages: Sequence[Message], key: str) -> Answer:
        with world.engine.connect() as connection:
            attempts_at_post.append(connection.execute(select(batches.c.attempts).where(own(batches))).scalar_one())
        return provider.accept(messages, key)

    jump = {"wall": 30, "set back": -30, "monotonic": 0}[which]
    session.clock = lambda: world.now + timedelta(seconds=jump if jump and sleeps() else 0)
    session.monotonic = lambda: 30.0 if which == "monotonic" and sleeps() else 0.0
    world.provider.answers.append(accept)

    deliver(session, plan=world.plan, step=world.step, templates=Templates(world.settings.templates, world.root))

    assert attempts_at_post == [2]
    assert world.states() == {1: "accepted"}


def test_a_409_of_a_request_that_still_runs_makes_its_batch_wait_and_leaves_the_doubt(world: World) -> None:
    reserved(world)
    world.provider.answers += [answer(Throttled(5.0, "409", everybody=False)), answer(Refused("no"))]
    first = world.deliver()
    too_soon = world.deliver()
    world.now += timedelta(seconds=5)

    later = world.deliver()

    # The 409 told of another request; so the refusal after it proves nothing about that one.
    assert (first.open, too_soon.open, later.open) == (1, 1, 1)
    assert (len(world.provider.tried), world.paused) == (2, [])
    assert world.batch_states() == {"frozen": 1}
    assert None not in unresolved_since(world)


def test_a_key_that_the_provider_works_on_for_ever_holds_up_no_other_batch(world: World) -> None:
    reserved(world, 101)

    def work_on_the_first(provider: Script, messages: Sequence[Message], key: str) -> Answer:
        is_first = key == provider.tried[0][0]
        return Throttled(5.0, "409", everybody=False) if is_first else provider.accept(messages, key)

    world.provider.answers += [work_on_the_first] * 1000
    for _ in range(3):
        world.deliver()
        world.now += timedelta(seconds=30)

    assert world.paused == []
    assert world.batch_states() == {"frozen": 1, "settled": 1}
    assert len([since for since in unresolved_since(world) if since is not None]) == 1


def test_what_the_records_show_after_23_hours_is_accepted(world: World) -> None:
    left_without_answer(world, lose_the_answer)
    (message,) = world.provider.accepted[world.provider.tried[0][0]]
    world.provider.found = Found((f"id-{message.send_id}",))
    world.now += timedelta(hours=23)

    world.deliver()

    assert len(world.provider.tried) == 1
    assert world.states() == {1: "accepted"}


def test_what_was_accepted_but_whose_record_is_gone_has_no_id(world: World) -> None:
    left_without_answer(world, lose_the_answer)
    world.provider.found = Found((None,))
    world.now += timedelta(hours=23)

    world.deliver()

    with world.engine.connect() as connection:
        assert connection.execute(select(sends.c.state, sends.c.provider_id).where(own(sends))).all() == [
            ("accepted", None)
        ]


def test_what_is_proved_absent_is_rendered_and_checked_anew_under_a_new_key(world: World) -> None:
    left_without_answer(world, never_arrive)
    world.provider.found = Absent()
    world.now += timedelta(hours=23)
    world.change(1, name="Renamed")
    world.deliver()
    world.now += timedelta(minutes=5)

    world.deliver()

    (first, before), (second, after) = world.provider.tried
    assert first != second
    assert (before[0].send_id, after[0].subject) == (after[0].send_id, "Hello Renamed")
    assert world.states() == {1: "accepted"}


def test_what_cannot_be_proved_is_in_doubt_and_stays_unsent(world: World) -> None:
    left_without_answer(world, never_arrive)
    world.provider.found = Unprovable("denied")
    world.now += timedelta(hours=23)

    world.deliver()
    world.deliver()

    assert len(world.provider.tried) == 1
    assert world.states() == {1: "in_doubt:no_answer"}


def test_a_loop_that_says_resend_takes_the_risk_of_a_second_email(world: World) -> None:
    world.rewrite_loop("type: retention", "type: retention\non_doubt: resend")
    left_without_answer(world, never_arrive)
    world.provider.found = Unprovable("denied")
    world.now += timedelta(hours=23)

    world.deliver()

    assert len({key for key, _ in world.provider.tried}) == 2
    assert world.states() == {1: "accepted"}


def test_a_doubt_is_closed_by_reconcile_as_soon_as_the_records_can_be_read(world: World) -> None:
    left_without_answer(world, lose_the_answer)
    world.provider.found = Unprovable("denied")
    world.now += timedelta(hours=23)
    world.deliver()
    (message,) = world.provider.tried[0][1]
    world.provider.found = Found((f"id-{message.send_id}",))
    world.now += timedelta(minutes=63)

    found = reconcile(world.session(owner="reconcile"), [world.plan])

    assert (found.looked_at, found.in_doubt) == (1, 0)
    assert world.states() == {1: "accepted"}


def test_reconcile_sends_again_under_the_same_key_what_no_live_run_holds(world: World) -> None:
    left_without_answer(world, lose_the_answer)
    at_once = is_wanted(world.engine, "outbox", world.clock, [])
    world.now += timedelta(minutes=3)
    later = is_wanted(world.engine, "outbox", world.clock, [])

    found = reconcile(world.session(owner="reconcile"), [])

    assert (at_once, later) == (False, True)
    assert (found.looked_at, found.unresolved) == (1, 0)
    assert len({key for key, _ in world.provider.tried}) == 1
    assert world.states() == {1: "accepted"}


def test_reconcile_writes_set_where_it_learns_of_an_acceptance(world: World) -> None:
    world.add(1)
    world.tick_without_answer(lose_the_answer)
    world.now += timedelta(minutes=3)

    reconcile(world.session(LIVE, owner="reconcile"), [world.plan])

    assert world.reminded() == {1}
    assert world.batch_states() == {"settled": 1}


def test_unsent_batches_of_a_step_that_is_gone_are_dropped_and_those_of_a_broken_file_kept(world: World) -> None:
    reserved(world)
    kept = reconcile(world.session(owner="reconcile"), [])
    world.rewrite_loop("  - trigger", "  - name: another\n    trigger")

    wanted = is_wanted(world.engine, "outbox", world.clock, [world.plan])
    dropped = reconcile(world.session(owner="reconcile"), [world.plan])

    assert wanted
    assert not is_wanted(world.engine, "outbox", world.clock, [world.plan])
    assert (kept.dropped, dropped.dropped) == (0, 1)
    assert world.states() == {1: "skipped:step_removed"}


@pytest.mark.parametrize("loop", ["retention", None], ids=["the loop", "all loops"])
def test_a_pause_between_freeze_and_post_is_obeyed_also_by_reconcile(world: World, loop: str | None) -> None:
    left_without_answer(world, never_arrive)
    transaction(world.engine, lambda c: controls.pause(c, loop, world.now))
    world.now += timedelta(minutes=3)

    delivered = world.deliver()
    reconciled = reconcile(world.session(owner="reconcile"), [world.plan])

    assert (delivered.stopped_because, reconciled.stopped_because) == ("paused", "paused")
    assert len(world.provider.tried) == 1
    transaction(world.engine, lambda c: controls.resume(c, loop, world.now))
    world.deliver()
    assert world.states() == {1: "accepted"}


def test_what_is_cancelled_is_not_sent_but_what_was_attempted_is_resolved(world: World) -> None:
    reserved(world, 101)
    world.provider.answers += [lose_the_answer, never_arrive]
    with pytest.raises(ProviderUnavailable):
        world.deliver()
    world.add(200)
    world.now += timedelta(minutes=1)
    world.refresh()
    world.reserve()

    def cancel() -> int:
        transaction(world.engine, lambda c: controls.cancel(c, "retention", world.now))
        return transaction(world.engine, lambda c: ledger.cancel(c, "retention", world.now, world.now))

    assert cancel() == 1
    world.deliver()

    assert world.states()[200] == "skipped:cancelled"
    assert {world.states()[n] for n in range(1, 102)} == {"accepted"}


def test_a_page_that_was_reserved_while_the_order_came_is_cancelled_too(world: World) -> None:
    world.add(1)
    world.refresh()
    tick = world.now
    world.now += timedelta(seconds=2)
    world.reserve(as_of=tick)
    transaction(world.engine, lambda c: controls.cancel(c, "retention", tick + timedelta(seconds=1)))

    world.deliver()

    assert world.provider.tried == []
    assert world.states() == {1: "skipped:cancelled"}


def test_a_tick_that_began_before_the_cancellation_mails_nobody_more(world: World) -> None:
    world.add(1)
    world.refresh()
    transaction(world.engine, lambda c: controls.cancel(c, "retention", world.now + timedelta(seconds=1)))

    world.reserve()

    assert world.states() == {1: "skipped:cancelled"}


def test_a_large_first_wave_of_real_mail_waits_until_it_is_approved(world: World) -> None:
    world.settings = _most(world, 2)
    world.add(1, 2, 3)
    world.refresh()
    waited = world.reserve(LIVE).counts
    world.deliver(LIVE)
    nobody = world.states()
    transaction(world.engine, lambda c: controls.approve(c, "retention", "main", world.now))
    world.days_pass(1)

    world.tick(LIVE)

    assert (waited, nobody) == ({"deferred:first_wave": 3}, {})
    assert set(world.states().values()) == {"accepted"}


def test_a_small_first_wave_a_later_one_and_a_rehearsal_need_no_approval(world: World) -> None:
    world.settings = _most(world, 2)
    world.add(1, 2)
    world.tick(LIVE)
    world.add(3, 4, 5)
    world.days_pass(1)

    world.tick(LIVE)
    world.tick()

    assert len(world.provider.mailed) == 10
    assert set(world.states().values()) == {"accepted"}


def test_a_first_wave_is_counted_by_its_emails_not_by_the_members(world: World) -> None:
    world.settings = _most(world, 2)
    world.add(1, 2)
    world.add(3, verified=False)

    world.tick(LIVE)

    assert world.states() == {1: "accepted", 2: "accepted", 3: "deferred:not_mailable"}


def _most(world: World, first_wave: int) -> Settings:
    return replace(world.settings, limits=world.settings.limits.model_copy(update={"first_wave": first_wave}))


def test_what_was_attempted_within_two_minutes_is_left_to_its_own_run(world: World) -> None:
    left_without_answer(world, never_arrive)
    world.now += timedelta(seconds=90)
    soon = is_wanted(world.engine, "outbox", world.clock, [world.plan])
    left_alone = reconcile(world.session(owner="reconcile"), [world.plan])
    world.now += timedelta(seconds=31)

    later = is_wanted(world.engine, "outbox", world.clock, [world.plan])

    assert (soon, later) == (False, True)
    assert left_alone.looked_at == 0


class Recorded(Script):
    """A provider whose records show what it accepted in the time that they are asked about, and its keys are over."""

    def find(self, batch: Frozen, since: datetime, until: datetime, wait_for_slot: SlotWait = at_once) -> Finding:
        super().find(batch, since, until, wait_for_slot)
        ids = {sent.send_id: sent.provider_id for sent in self.records if sent.at >= since}
        return Found(tuple(ids.get(send_id) for send_id in batch.send_ids)) if ids else Absent()


def test_what_the_first_of_two_lost_attempts_sent_is_found_though_the_second_never_arrived(world: World) -> None:
    reserved(world)
    world.provider = Recorded(answers=[lose_the_answer, never_arrive], clock=world.clock)
    for _ in range(2):
        with pytest.raises(ProviderUnavailable):
            world.deliver()
        world.now += timedelta(hours=5)
    world.now += timedelta(hours=13)

    world.deliver()

    assert len(world.provider.tried) == 2
    assert world.states() == {1: "accepted"}


def test_what_came_under_a_key_most_of_a_day_before_the_first_attempt_that_is_known_is_found(world: World) -> None:
    reserved(world)
    with world.engine.connect() as connection:
        send_id = connection.execute(select(sends.c.send_id).where(own(sends))).scalar_one()
    before = Sent("id", world.now - timedelta(hours=23, minutes=30), send_id, "")
    world.provider = Recorded(answers=[answer(Unknown("409", answered=True))], records=[before], clock=world.clock)
    world.deliver()
    world.now += timedelta(minutes=10)

    world.deliver()

    assert len(world.provider.tried) == 1
    assert world.states() == {1: "accepted"}


def test_the_risk_of_a_second_email_is_taken_a_keys_life_after_the_first_attempt(world: World) -> None:
    world.rewrite_loop("type: retention", "type: retention\non_doubt: resend")
    left_without_answer(world, never_arrive)
    world.provider.found = Unprovable("denied")
    world.now += timedelta(hours=2)
    # It tells of what came under this key before the first attempt: the key is over, and the risk is not yet due.
    world.provider.answers.append(answer(Unknown("invalid_idempotent_request", answered=True)))
    world.deliver()
    world.now = START + timedelta(hours=23) - timedelta(seconds=1)
    world.deliver()
    before = len(world.provider.tried)
    world.now += timedelta(seconds=1)

    world.deliver()

    assert (before, len(world.provider.tried)) == (2, 3)
    assert world.states() == {1: "accepted"}


def test_the_tick_at_whose_very_moment_it_was_cancelled_mails_nobody(world: World) -> None:
    world.add(1)
    world.refresh()
    transaction(world.engine, lambda c: controls.cancel(c, "retention", world.now))

    world.reserve()

    assert world.states() == {1: "skipped:cancelled"}
