"""Each step of a batch is a compare-and-set: who comes second, or too late, or lost his lease, changes nothing."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest
from delivery_world import World, make_world
from neighbours import own
from sqlalchemy import Connection, Engine, Row, select, update

from skene_dagster.delivery import controls, ledger
from skene_dagster.delivery.email.message import Frozen
from skene_dagster.delivery.model import Batch
from skene_dagster.delivery.providers.base import Fatal, Throttled
from skene_dagster.delivery.send.freeze import halves
from skene_dagster.errors import ProviderFatal
from skene_dagster.store.engine import transaction
from skene_dagster.store.tables import batches, sends

Result = TypeVar("Result")


@pytest.fixture
def world(engine: Engine, tmp_path: Path) -> World:
    return make_world(engine, tmp_path)


def do(world: World, work: Callable[[Connection], Result]) -> Result:
    return transaction(world.engine, work)


def read(world: World) -> Row[Any]:
    return do(world, lambda c: c.execute(select(batches).where(own(batches))).one())


def reserved(world: World) -> str:
    """Reserve a batch of two; return its id."""
    world.add(1, 2)
    world.refresh()
    world.reserve()
    return str(read(world).batch_id)


def frozen(world: World) -> Batch:
    """Claim a batch that is frozen, for the owner `one`; the provider has nothing of it."""
    batch_id = reserved(world)
    world.provider.answers.append(lambda *_: Fatal("the key is wrong"))
    with pytest.raises(ProviderFatal):
        world.deliver()
    return claimed(world, batch_id, "one")


def claimed(world: World, batch_id: str, owner: str) -> Batch:
    batch = do(world, lambda c: ledger.claim(c, batch_id, owner, world.now))
    assert batch is not None
    return batch


def begin(world: World, batch: Batch, owner: str = "one") -> int | None:
    return do(world, lambda c: ledger.begin_attempt(c, batch, owner, world.now))


def in_doubt(world: World) -> Batch:
    batch = frozen(world)
    begin(world, batch)
    do(world, lambda c: ledger.doubt(c, batch.batch_id, "denied", world.now))
    return do(world, lambda c: ledger.batch_of(c, batch.batch_id))


def late(world: World, _batch: Batch) -> None:
    world.now += ledger.LEASE


def taken_by_another(world: World, batch: Batch) -> None:
    world.now += ledger.LEASE + timedelta(seconds=1)
    claimed(world, batch.batch_id, "another")


def tried_by_its_double(world: World, batch: Batch) -> None:
    """A run that is started again may have the name of the one that still lives."""
    begin(world, claimed(world, batch.batch_id, "one"))


def closed(world: World, batch: Batch) -> None:
    do(world, lambda c: c.execute(update(batches).where(batches.c.batch_id == batch.batch_id).values(state="settled")))


@pytest.mark.parametrize("meanwhile", [late, taken_by_another, tried_by_its_double, closed])
def test_an_attempt_begins_only_while_the_batch_is_as_it_was_claimed(
    world: World, meanwhile: Callable[[World, Batch], None]
) -> None:
    batch = frozen(world)
    meanwhile(world, batch)
    before = read(world)

    assert begin(world, batch) is None
    assert read(world) == before


def test_an_attempt_renews_the_lease_of_a_minute(world: World) -> None:
    batch = frozen(world)
    assert batch.lease_until == world.now + timedelta(seconds=60)
    world.now += timedelta(seconds=50)

    assert begin(world, batch) == batch.attempts + 1
    assert read(world).lease_until == world.now + timedelta(seconds=60)


def test_nobody_gives_back_what_another_holds(world: World) -> None:
    batch = frozen(world)

    do(world, lambda c: ledger.release(c, batch.batch_id, "another", "gone"))

    assert read(world).owner == "one"


def test_a_batch_is_frozen_once_and_by_its_owner(world: World) -> None:
    batch_id = reserved(world)
    claimed(world, batch_id, "one")
    nothing = Frozen((), b"[]")

    def freeze(owner: str) -> bool:
        gone = {"0" * 32: ledger.Skipped("gone")}
        return do(
            world,
            lambda c: ledger.freeze(
                c,
                batch_id,
                owner,
                frozen=nothing,
                recipients=[],
                domains=[],
                languages=[],
                provider="resend",
                left_out=gone,
                now=world.now,
            ),
        )

    assert [freeze(owner) for owner in ("another", "one", "one")] == [False, True, False]


def test_a_late_answer_clears_no_doubt_that_the_records_are_asked_about(world: World) -> None:
    batch = in_doubt(world)

    cleared = do(world, lambda c: ledger.nothing_happened(c, batch.batch_id, batch.attempts, "429"))

    assert not cleared
    assert read(world).unresolved_since == batch.unresolved_since


def test_what_a_person_settled_is_not_opened_again_by_a_late_acceptance(world: World) -> None:
    batch = in_doubt(world)
    do(world, lambda c: ledger.give_up(c, batch.batch_id, world.now))
    ids = dict.fromkeys(batch.frozen_sends, "id")

    do(world, lambda c: ledger.settle(c, batch.batch_id, ids, write_back=True, now=world.now))

    assert world.states() == {1: "skipped:doubt", 2: "skipped:doubt"}
    assert world.batch_states() == {"settled": 1}


def test_a_settled_batch_keeps_no_bytes(world: World) -> None:
    reserved(world)

    world.deliver()

    assert read(world).payload is None


@pytest.mark.parametrize("kind", ["split", "reissue"])
def test_a_batch_is_replaced_once(world: World, kind: str) -> None:
    batch = frozen(world)
    parts = halves(batch.frozen_sends)
    replace = {
        "split": lambda c: ledger.split(c, batch, parts, world.now),
        "reissue": lambda c: ledger.reissue(c, batch, world.now),
    }[kind]

    do(world, replace)
    do(world, replace)

    assert world.batch_states() == {"split": 1, "reserved": {"split": 2, "reissue": 1}[kind]}


def test_the_parts_of_a_batch_have_waited_as_long_as_it(world: World) -> None:
    batch = frozen(world)
    world.days_pass(1)

    do(world, lambda c: ledger.split(c, batch, halves(batch.frozen_sends), world.now))

    assert set(do(world, lambda c: c.execute(select(batches.c.reserved_at).where(own(batches))).scalars().all())) == {
        batch.reserved_at
    }


def test_what_may_have_been_sent_is_not_dropped(world: World) -> None:
    batch = frozen(world)
    begin(world, batch)

    assert not do(world, lambda c: ledger.drop(c, batch.batch_id, "cancelled", world.now))
    assert world.states() == {1: "reserved", 2: "reserved"}


def test_an_accepted_email_is_neither_refused_nor_doubted_nor_given_up(world: World) -> None:
    batch = frozen(world)
    ids = dict.fromkeys(batch.frozen_sends, "id")
    do(world, lambda c: ledger.settle(c, batch.batch_id, ids, write_back=False, now=world.now))

    do(world, lambda c: ledger.refuse(c, batch.batch_id, next(iter(ids)), "bad", world.now))
    do(world, lambda c: ledger.give_up(c, batch.batch_id, world.now))
    do(world, lambda c: ledger.doubt(c, batch.batch_id, "denied", world.now))

    assert world.states() == {1: "accepted", 2: "accepted"}
    assert world.batch_states() == {"settled": 1}


def test_only_what_is_in_doubt_is_given_up_and_only_what_was_accepted_is_written_back(world: World) -> None:
    batch = frozen(world)

    do(world, lambda c: ledger.give_up(c, batch.batch_id, world.now))
    do(world, lambda c: ledger.written_back(c, batch.batch_id, world.now))

    assert world.states() == {1: "reserved", 2: "reserved"}
    assert world.batch_states() == {"frozen": 1}


def test_a_closed_batch_is_claimed_by_nobody(world: World) -> None:
    batch_id = reserved(world)
    world.deliver()

    assert do(world, lambda c: ledger.claim(c, batch_id, "one", world.now)) is None


def test_the_emails_of_a_batch_go_in_the_order_in_which_they_were_reserved(world: World) -> None:
    world.add(*range(1, 31))

    world.tick()

    ((_, messages),) = world.provider.tried
    assert [message.to for message in messages] == [f"u{n}@example.com" for n in range(1, 31)]


def test_the_oldest_batch_goes_first(world: World) -> None:
    for day in range(3):
        world.add(day + 1)
        world.refresh()
        world.reserve()
        world.days_pass(0.1)

    world.deliver()

    assert [messages[0].to for _, messages in world.provider.tried] == [f"u{n}@example.com" for n in (1, 2, 3)]


def test_a_cancellation_leaves_other_loops_later_ticks_and_what_a_run_holds(world: World) -> None:
    batch_id = reserved(world)
    at, earlier = world.now, world.now - timedelta(seconds=1)

    def cancel(loop: str, cancelled_at: Any) -> int:
        return do(world, lambda c: ledger.cancel(c, loop, cancelled_at, world.now))

    assert (cancel("another", at), cancel("retention", earlier)) == (0, 0)
    claimed(world, batch_id, "a run")
    assert cancel("retention", at) == 0
    do(world, lambda c: ledger.release(c, batch_id, "a run"))
    assert cancel("retention", at) == 2
    assert world.states() == {1: "skipped:cancelled", 2: "skipped:cancelled"}


def test_a_page_that_is_reserved_while_the_command_runs_is_cancelled_by_it(world: World) -> None:
    world.add(1)
    world.refresh()
    tick = world.now
    world.now += timedelta(seconds=2)
    world.reserve(as_of=tick)

    assert do(world, lambda c: ledger.cancel(c, "retention", tick + timedelta(seconds=1), world.now)) == 1


def test_what_is_paused_before_it_was_rendered_is_rendered_when_it_goes_on(world: World) -> None:
    reserved(world)
    do(world, lambda c: controls.pause(c, "retention", world.now))
    world.deliver()
    paused = world.batch_states()
    world.change(1, verified=False)
    do(world, lambda c: controls.resume(c, "retention", world.now))

    world.deliver()

    assert paused == {"reserved": 1}
    assert world.states() == {1: "skipped:not_mailable", 2: "accepted"}


def test_set_is_written_for_nobody_whose_email_was_not_accepted(world: World) -> None:
    batch = frozen(world)
    ids = dict.fromkeys(batch.frozen_sends, "id")
    refused = next(iter(ids))
    do(world, lambda c: ledger.refuse(c, batch.batch_id, refused, "bad", world.now))

    do(world, lambda c: ledger.settle(c, batch.batch_id, ids, write_back=True, now=world.now))

    with world.engine.connect() as connection:
        query = select(sends.c.user_id).where(own(sends), sends.c.send_id != refused)
        others = connection.execute(query).scalars().all()
    assert do(world, lambda c: ledger.accepted_in(c, batch.batch_id)) == others


def test_who_was_skipped_when_a_batch_was_rendered_keeps_his_reason_when_it_is_dropped(world: World) -> None:
    world.add(1, 2)
    world.refresh()
    world.reserve()
    world.change(2, verified=False)
    world.provider.answers.append(lambda *_: Throttled(40_000.0, "daily quota exceeded"))
    world.deliver()
    world.days_pass(4)

    world.deliver()

    assert world.states() == {1: "skipped:too_late", 2: "skipped:not_mailable"}
