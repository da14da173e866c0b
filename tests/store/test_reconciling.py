"""Reconcile closes what runs have left open, whatever became of their loop and of the others meanwhile."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from delivery_world import (
    LIVE,
    LOOP,
    OUTBOX,
    Script,
    Scripted,
    World,
    lose_the_answer,
    make_world,
    never_arrive,
    planned,
)
from neighbours import own
from sqlalchemy import Connection, Engine, select, update

from skene_dagster.delivery import controls, ledger
from skene_dagster.delivery.doubts import doubts, settle_doubt
from skene_dagster.delivery.email.message import Message
from skene_dagster.delivery.email.templates import Templates
from skene_dagster.delivery.providers.base import Absent, Answer, RateLimit, Throttled, Unprovable
from skene_dagster.delivery.reconcile import is_wanted, reconcile
from skene_dagster.delivery.send.deliver import deliver
from skene_dagster.delivery.send.records import Policy, look
from skene_dagster.delivery.send.session import DeliverySession, Result
from skene_dagster.errors import ProviderUnavailable
from skene_dagster.loops.plan import LoopPlan
from skene_dagster.store.engine import transaction
from skene_dagster.store.tables import batches, sends
from skene_dagster.store.tables import pacing as accounts


@pytest.fixture
def world(engine: Engine, tmp_path: Path) -> World:
    return make_world(engine, tmp_path)


def left_without_answer(
    world: World, loop: str = "retention", arrives: Scripted = lose_the_answer, first_line: str = ""
) -> LoopPlan:
    """Let a run of this loop get no answer to its one batch; return the loop."""
    world.plan = planned(world.root, world.settings, f"{first_line}name: {loop}\n{LOOP}")
    world.tick_without_answer(arrives)
    return world.plan


def states_of(world: World, loop: str) -> set[str]:
    with world.engine.connect() as connection:
        return set(connection.execute(select(sends.c.state).where(own(sends), sends.c.loop == loop)).scalars())


def test_a_loop_that_is_paused_holds_up_no_other(world: World) -> None:
    world.add(1)
    first = left_without_answer(world, "paused_one")
    world.now += timedelta(seconds=1)
    plans = [first, left_without_answer(world, "other")]
    transaction(world.engine, lambda c: controls.pause(c, "paused_one", world.now))
    world.now += timedelta(minutes=3)

    found = reconcile(world.session(LIVE, owner="reconcile"), plans)

    assert (states_of(world, "paused_one"), states_of(world, "other")) == ({"reserved"}, {"accepted"})
    assert found.stopped_because == "paused"


def test_set_is_written_by_the_next_run_for_what_was_resolved_while_the_file_was_broken(world: World) -> None:
    world.add(1)
    left_without_answer(world)
    world.now += timedelta(minutes=3)

    reconcile(world.session(LIVE, owner="reconcile"), [])
    world.deliver(LIVE)

    assert states_of(world, "retention") == {"accepted"}
    assert world.reminded() == {1}


def test_what_a_person_says_to_send_again_is_not_too_late(world: World) -> None:
    world.add(1)
    left_without_answer(world)
    world.provider.found = Unprovable("denied")
    world.now += timedelta(days=4)
    world.deliver(LIVE)
    (doubt,) = transaction(world.engine, lambda c: doubts(c, "live"))
    transaction(world.engine, lambda c: settle_doubt(c, doubt, "resend", write_back=True, now=world.now))

    world.deliver(LIVE)

    assert states_of(world, "retention") == {"accepted"}


def test_what_the_records_said_before_an_attempt_began_replaces_nothing(world: World) -> None:
    """Told at last that there was nothing, a sender that slept for a day clears the doubt: the next run sends."""
    world.add(1)
    left_without_answer(world, arrives=never_arrive)
    world.now += timedelta(hours=23)
    transaction(
        world.engine,
        lambda c: c.execute(update(batches).where(own(batches)).values(absent_at=world.now - timedelta(minutes=5))),
    )
    (batch_id,) = transaction(
        world.engine, lambda c: c.execute(select(batches.c.batch_id).where(own(batches))).scalars()
    )
    asked = transaction(world.engine, lambda c: ledger.batch_of(c, batch_id))
    slept = partial(ledger.nothing_happened, batch_id=asked.batch_id, attempt=asked.attempts, error="429")
    transaction(world.engine, slept)
    world.provider.found = Absent()
    bytes_ = transaction(world.engine, lambda c: ledger.frozen(c, asked.batch_id))

    def say_it_now(provider: Script, messages: Sequence[Message], key: str) -> Answer:
        look(world.session(LIVE, owner="reconcile"), asked, bytes_, Policy())
        return provider.accept(messages, key)

    world.provider.answers.append(say_it_now)
    world.deliver(LIVE)

    assert world.provider.mailed == ["u1@example.com"]
    assert states_of(world, "retention") == {"accepted"}


@dataclass
class Overtaken(DeliverySession):
    """Just when this run has claimed the batch, a sender that had lost its lease learns that it was accepted."""

    def do(
        self, work: Callable[[Connection], Result], *, resolve: Callable[[Connection], Result] | None = None
    ) -> Result:
        done = super().do(work, resolve=resolve)
        (batch,) = transaction(self.engine, lambda c: c.execute(select(batches).where(own(batches))).all())
        if (batch.owner, batch.state) == (self.owner, "frozen"):
            ids = {send_id: f"id-{send_id}" for send_id in batch.send_ids.split()}
            settle = partial(
                ledger.settle, batch_id=batch.batch_id, provider_ids=ids, write_back=False, now=self.clock()
            )
            transaction(self.engine, settle)
        return done


@pytest.mark.parametrize("hours", [1, 23], ids=["the key lives", "the key is over"])
@pytest.mark.parametrize("who", ["deliver", "reconcile"])
def test_a_batch_that_another_settles_at_the_moment_of_the_claim_is_left_alone(
    world: World, hours: int, who: str
) -> None:
    world.add(1)
    plan = left_without_answer(world)
    world.now += timedelta(hours=hours)
    session = Overtaken(
        world.engine, world.settings, LIVE, world.open_provider, world.clock, "overtaken", pause=world.pause
    )

    if who == "deliver":
        deliver(session, plan=plan, step=world.step, templates=Templates(world.settings.templates, world.root))
    else:
        reconcile(session, [plan])

    assert len(world.provider.tried) == 1
    assert states_of(world, "retention") == {"accepted"}


def test_the_records_are_read_at_the_pace_of_all_and_tell_the_limit(world: World) -> None:
    world.add(1)
    plan = left_without_answer(world)
    world.provider.account, world.provider.rate_limit = "one", RateLimit(5.0, None, 1.0)
    world.provider.found = Unprovable("denied")
    world.now += timedelta(hours=23)
    pacing = world.session().outlet("resend").pacing
    transaction(world.engine, pacing.take)
    pacing.hold(world.now + timedelta(seconds=7), "slow down", closes=False)

    reconcile(world.session(LIVE, owner="reconcile"), [plan])

    # Twice: is the ledger as new as they are, and what became of the batch?
    assert [wait for wait in world.paused if wait] == pytest.approx([7.0, 0.631313], abs=1e-6)
    with world.engine.connect() as connection:
        assert connection.execute(select(accounts.c.per_second).where(own(accounts))).scalar_one() == 5.0


def test_what_is_in_doubt_is_asked_about_once_an_hour(world: World) -> None:
    world.add(1)
    plan = left_without_answer(world)
    world.provider.found = Unprovable("denied")
    world.now += timedelta(hours=23)
    world.deliver(LIVE)
    world.now += timedelta(minutes=61)
    within = is_wanted(world.engine, "live", world.clock, [plan])
    world.now += timedelta(minutes=2)
    hourly = is_wanted(world.engine, "live", world.clock, [plan])

    found = [reconcile(world.session(LIVE, owner="reconcile"), [plan]) for _ in range(2)]

    assert (within, hourly) == (False, True)
    assert [(one.looked_at, one.in_doubt) for one in found] == [(1, 1), (0, 1)]


def test_batches_that_never_get_an_answer_hold_up_no_other(world: World) -> None:
    dead: set[str] = set()

    def some_never_do(provider: Script, messages: Sequence[Message], key: str) -> Answer:
        return never_arrive(provider, messages, key) if key in dead else provider.accept(messages, key)

    plans = []
    for n, loop in enumerate(("a", "b", "c", "d"), start=1):
        world.add(n)
        plans.append(left_without_answer(world, loop, never_arrive))
        world.now += timedelta(seconds=1)
        dead |= {key for key, _ in world.provider.tried} if n <= 3 else set()
    world.provider.answers += [some_never_do] * 10
    for _ in range(2):
        world.now += timedelta(minutes=5)
        with pytest.raises(ProviderUnavailable):
            reconcile(world.session(LIVE, owner="reconcile"), plans)

    assert states_of(world, "d") == {"accepted"}


@pytest.mark.parametrize("who", ["deliver", "reconcile"])
def test_a_batch_whose_bytes_are_gone_is_in_doubt_once_its_key_is_over(world: World, who: str) -> None:
    world.add(1)
    plan = left_without_answer(world)
    transaction(world.engine, lambda c: c.execute(update(batches).where(own(batches)).values(payload=None)))
    world.now += timedelta(hours=23)

    if who == "deliver":
        world.deliver(LIVE)
    else:
        reconcile(world.session(LIVE, owner="reconcile"), [plan])

    assert states_of(world, "retention") == {"in_doubt"}


def in_doubt(world: World, first_line: str = "") -> LoopPlan:
    """Leave the one batch without answer until its key is over and nothing is proved."""
    world.add(1)
    plan = left_without_answer(world, arrives=never_arrive, first_line=first_line)
    world.provider.found = Unprovable("denied")
    world.now += timedelta(hours=23)
    return plan


def test_what_a_live_run_holds_is_left_to_it(world: World) -> None:
    world.add(1)
    plan = left_without_answer(world)
    world.now += timedelta(minutes=3)
    (batch,) = transaction(world.engine, lambda c: c.execute(select(batches).where(own(batches))).all())
    transaction(world.engine, lambda c: ledger.claim(c, batch.batch_id, "a live run", world.now))

    wanted = is_wanted(world.engine, "live", world.clock, [plan])
    found = reconcile(world.session(LIVE, owner="reconcile"), [plan])

    assert (wanted, found.looked_at) == (False, 0)
    assert len(world.provider.tried) == 1


@pytest.mark.parametrize("hours", [1, 23], ids=["without answer", "in doubt"])
def test_what_another_channel_left_open_is_none_of_this_ones(world: World, hours: int) -> None:
    plan = in_doubt(world)
    world.now -= timedelta(hours=23 - hours)
    if hours == 23:
        world.deliver(LIVE)

    wanted = is_wanted(world.engine, "outbox", world.clock, [plan])
    found = reconcile(world.session(OUTBOX, owner="reconcile"), [plan])

    assert (wanted, found.looked_at, found.in_doubt) == (False, 0, 0)


def test_a_key_that_is_over_is_not_used_by_reconcile_either(world: World) -> None:
    plan = in_doubt(world)

    reconcile(world.session(LIVE, owner="reconcile"), [plan])

    assert len(world.provider.tried) == 1
    assert states_of(world, "retention") == {"in_doubt"}


@pytest.mark.parametrize(("is_well", "state"), [(True, "accepted"), (False, "in_doubt")], ids=["well", "broken"])
def test_only_a_loop_that_says_so_takes_the_risk_of_a_second_email(world: World, is_well: bool, state: str) -> None:
    plan = in_doubt(world, "on_doubt: resend\n")

    reconcile(world.session(LIVE, owner="reconcile"), [plan] if is_well else [])

    assert states_of(world, "retention") == {state}


def test_a_quota_that_is_used_up_ends_the_reconciliation(world: World) -> None:
    world.add(1)
    first = left_without_answer(world, "a")
    world.now += timedelta(seconds=1)
    plans = [first, left_without_answer(world, "b")]
    world.now += timedelta(minutes=3)
    world.provider.answers.append(lambda *_: Throttled(3600.0, "daily_quota_exceeded"))

    found = reconcile(world.session(LIVE, owner="reconcile"), plans)

    assert (found.stopped_because, found.unresolved) == ("daily_quota_exceeded", 2)
    assert len(world.provider.tried) == 3
