"""What each kind of answer proves, what a run does while it waits for one, and when it stops waiting."""

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from delivery_world import Script, Scripted, World, lose_the_answer, make_world, never_arrive
from neighbours import own
from sqlalchemy import Engine, select, update

from skene_dagster.delivery import controls
from skene_dagster.delivery.email.message import Message
from skene_dagster.delivery.email.templates import Templates
from skene_dagster.delivery.providers.base import Answer, Fatal, RateLimit, Refused, Throttled, Unprovable
from skene_dagster.delivery.reconcile import reconcile
from skene_dagster.delivery.send.deliver import Delivered, deliver
from skene_dagster.delivery.send.pacing import RateSlot
from skene_dagster.errors import DeliveryError, ProviderFatal, ProviderUnavailable
from skene_dagster.store.engine import transaction
from skene_dagster.store.tables import batches, pacing


@pytest.fixture
def world(engine: Engine, tmp_path: Path) -> World:
    return make_world(engine, tmp_path)


def accept(provider: Script, messages: Sequence[Message], key: str) -> Answer:
    return provider.accept(messages, key)


def answer(given: Answer) -> Scripted:
    return lambda _provider, _messages, _key: given


def reserved(world: World, count: int = 1) -> None:
    world.add(*range(1, count + 1))
    world.refresh()
    world.reserve()


def unanswered(world: World, *answers: Scripted) -> None:
    """Let a run end without a definite answer to its last attempt."""
    world.provider.answers += answers
    with pytest.raises(ProviderUnavailable):
        world.deliver()


def next_turn(world: World) -> RateSlot:
    """Say when another run of the same account may call."""
    return transaction(world.engine, world.session(owner="another").outlet("resend").pacing.take)


@pytest.mark.parametrize(
    "late",
    [answer(Throttled(1.0, "slow down")), answer(Fatal("API key is invalid"))],
    ids=["a throttle", "a fatal answer"],
)
def test_what_is_said_after_a_lost_answer_leaves_its_doubt(world: World, late: Scripted) -> None:
    reserved(world)
    unanswered(world, lose_the_answer)
    since = world.now
    world.now += timedelta(minutes=1)
    world.provider.answers += [late, never_arrive]

    with pytest.raises(DeliveryError):
        world.deliver()

    with world.engine.connect() as connection:
        assert connection.execute(select(batches.c.state, batches.c.unresolved_since).where(own(batches))).all() == [
            ("frozen", since)
        ]
    world.provider.answers.clear()
    world.now += timedelta(minutes=5)
    world.deliver()
    assert len({key for key, _ in world.provider.tried}) == 1
    assert world.states() == {1: "accepted"}


def test_a_fatal_answer_to_a_first_attempt_leaves_no_doubt(world: World) -> None:
    reserved(world)
    world.provider.answers.append(answer(Fatal("API key is invalid")))
    with pytest.raises(ProviderFatal):
        world.deliver()

    with world.engine.connect() as connection:
        assert connection.execute(select(batches.c.unresolved_since).where(own(batches))).scalars().all() == [None]


def test_the_23_hours_are_counted_from_the_first_attempt_without_answer(world: World) -> None:
    reserved(world)
    unanswered(world, never_arrive)
    world.now += timedelta(hours=22)
    unanswered(world, never_arrive)
    world.now += timedelta(hours=1)

    world.deliver()

    assert len(world.provider.tried) == 2
    assert world.states() == {1: "in_doubt:no_answer"}


def test_a_key_that_ends_while_its_batch_waits_for_a_turn_is_not_used(world: World) -> None:
    world.provider.account = "one"
    reserved(world)
    unanswered(world, never_arrive)
    world.now += timedelta(hours=23) - timedelta(seconds=30)
    world.session().outlet("resend").pacing.hold(world.now + timedelta(seconds=40), "slow down", closes=False)

    world.deliver()

    assert len(world.provider.tried) == 1
    assert world.states() == {1: "in_doubt:no_answer"}


def test_an_order_that_comes_while_a_batch_waits_for_its_turn_is_obeyed(world: World) -> None:
    world.provider.account = "one"
    reserved(world)
    next_turn(world)
    world.session().outlet("resend").pacing.hold(world.now + timedelta(seconds=10), "slow down", closes=False)
    session = world.session()

    def pause(seconds: float) -> None:
        transaction(world.engine, lambda c: controls.pause(c, "retention", world.now))
        world.pause(seconds)

    session.pause = pause

    delivered = deliver(
        session, plan=world.plan, step=world.step, templates=Templates(world.settings.templates, world.root)
    )

    assert delivered.stopped_because == "paused"
    assert world.provider.tried == []


def test_a_doubt_of_before_is_not_risked_because_the_loop_now_says_resend(world: World) -> None:
    reserved(world)
    unanswered(world, never_arrive)
    world.provider.found = Unprovable("denied")
    world.now += timedelta(hours=23)
    world.deliver()
    world.rewrite_loop("type: retention", "type: retention\non_doubt: resend")

    reconcile(world.session(owner="reconcile"), [world.plan])
    world.deliver()

    assert len(world.provider.tried) == 1
    assert world.states() == {1: "in_doubt:no_answer"}


def test_reconcile_gives_back_what_got_no_answer_again(world: World) -> None:
    reserved(world)
    unanswered(world, never_arrive)
    world.now += timedelta(minutes=3)
    world.provider.answers.append(never_arrive)

    with pytest.raises(ProviderUnavailable):
        reconcile(world.session(owner="reconcile"), [world.plan])

    with world.engine.connect() as connection:
        assert connection.execute(select(batches.c.owner, batches.c.lease_until).where(own(batches))).all() == [
            (None, None)
        ]


def test_a_rate_limit_makes_other_runs_wait_as_well(world: World) -> None:
    world.provider.account = "one"
    reserved(world)
    seen: list[float] = []
    session = world.session()

    def look(seconds: float) -> None:
        seen.append(next_turn(world).wait)
        world.pause(seconds)

    session.pause = look
    world.now += timedelta(seconds=10)
    world.provider.answers.append(answer(Throttled(5.0, "slow down")))

    deliver(session, plan=world.plan, step=world.step, templates=Templates(world.settings.templates, world.root))

    assert seen[0] >= 5.0


def test_the_work_on_one_key_makes_nobody_else_wait(world: World) -> None:
    world.provider.account = "one"
    reserved(world)
    world.now += timedelta(seconds=10)
    world.provider.answers.append(answer(Throttled(5.0, "409", everybody=False)))

    world.deliver()

    assert next_turn(world).wait < 1.0


def stopped_after(world: World, seconds: float, *, closes: bool) -> Delivered:
    world.provider.account = "one"
    reserved(world)
    next_turn(world)
    world.session().outlet("resend").pacing.hold(world.now + timedelta(seconds=seconds), "daily quota", closes=closes)
    return world.deliver()


def test_while_another_run_has_found_the_quota_used_up_nobody_is_called(world: World) -> None:
    delivered = stopped_after(world, 30.0, closes=True)

    assert (delivered.stopped_because, delivered.open) == ("daily quota", 1)
    assert (world.provider.tried, world.paused) == ([], [])


def test_a_turn_that_is_far_away_parks_the_run(world: World) -> None:
    delivered = stopped_after(world, 90.0, closes=False)

    assert delivered.stopped_because == "the provider is called as often as it allows"
    assert (world.provider.tried, world.paused) == ([], [])


def test_what_the_provider_says_of_its_limit_is_kept_for_all_runs(world: World) -> None:
    world.provider.account, world.provider.rate_limit = "one", RateLimit(5.0, None, 1.0)
    reserved(world)

    world.deliver()

    with world.engine.connect() as connection:
        assert connection.execute(select(pacing.c.per_second).where(own(pacing))).scalar_one() == 5.0


def test_an_answer_that_names_a_message_that_there_is_not_is_taken_for_one_that_names_none(world: World) -> None:
    reserved(world, 2)
    world.provider.answers.append(answer(Refused("the 8th is bad", 7)))

    world.deliver()

    assert set(world.states().values()) == {"accepted"}
    assert [len(messages) for _, messages in world.provider.tried] == [2, 1, 1]


def test_silence_now_and_then_stops_no_run(world: World) -> None:
    reserved(world, 600)
    world.provider.answers += [never_arrive, accept] * 3

    with pytest.raises(ProviderUnavailable, match="3 batches"):
        world.deliver()

    assert len(world.provider.tried) == 6


def take_the_bytes_out(world: World) -> None:
    with world.engine.begin() as connection:
        connection.execute(update(batches).where(own(batches)).values(payload=None))


def test_a_batch_without_its_bytes_that_the_provider_may_have_waits_and_is_not_sent_anew(world: World) -> None:
    reserved(world)
    unanswered(world, never_arrive)
    take_the_bytes_out(world)
    world.now += timedelta(minutes=1)

    delivered = world.deliver()

    assert delivered.open == 1
    assert len(world.provider.tried) == 1
    with world.engine.connect() as connection:
        assert connection.execute(select(batches.c.state, batches.c.error).where(own(batches))).all() == [
            ("frozen", "its bytes are gone from the ledger")
        ]


def test_a_batch_without_its_bytes_that_the_provider_has_not_is_rendered_anew(world: World) -> None:
    world.add(1)
    world.refresh()
    world.reserve()
    world.provider.answers.append(lambda _provider, _messages, _key: Throttled(3600.0, "quota"))
    world.deliver()
    take_the_bytes_out(world)

    world.deliver()

    assert len({key for key, _ in world.provider.tried}) == 2
    assert world.states() == {1: "accepted"}
