"""Every email that was accepted has a receipt, and nothing else has one, however it came to be known as accepted."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from delivery_world import LIVE, OUTBOX, World, lose_the_answer, make_world, never_arrive
from neighbours import own
from restored import backup
from sqlalchemy import Connection, Engine, select

from skene_dagster.consent.recipient import Recipients
from skene_dagster.delivery import ledger
from skene_dagster.delivery.backup_recovery import recover
from skene_dagster.delivery.doubts import settle_doubt
from skene_dagster.delivery.modes import Mode
from skene_dagster.delivery.providers.base import Found, Refused
from skene_dagster.store.engine import transaction
from skene_dagster.store.tables import receipts, sends


@pytest.fixture
def world(engine: Engine, tmp_path: Path) -> World:
    return make_world(engine, tmp_path)


def rows(world: World) -> dict[int, tuple[str | None, str, datetime]]:
    """Return the provider's id, the mode and the moment of each receipt, by user."""
    query = select(receipts.c.user_id, receipts.c.provider_id, receipts.c.mode, receipts.c.accepted_at)
    with world.engine.connect() as connection:
        return {user: tuple(rest) for user, *rest in connection.execute(query.where(own(receipts)))}


def accepted(world: World) -> dict[int, tuple[str | None, str, datetime]]:
    """Return the same of each accepted send."""
    query = select(sends.c.user_id, sends.c.provider_id, sends.c.mode, sends.c.accepted_at)
    with world.engine.connect() as connection:
        return {
            user: tuple(rest)
            for user, *rest in connection.execute(query.where(own(sends), sends.c.state == "accepted"))
        }


@pytest.mark.parametrize("mode", [LIVE, OUTBOX])
def test_each_accepted_email_has_one(world: World, mode: Mode) -> None:
    world.add(1, 2, 3)
    world.add(4, email="not an address")

    world.tick(mode)

    assert set(rows(world)) == {1, 2, 3}
    assert rows(world) == accepted(world)


def test_it_names_its_recipient_as_the_list_of_suppressions_does(world: World) -> None:
    world.add(1, 2)
    world.change(2, email=" U2@EXAMPLE.com ")

    world.tick(LIVE)

    with world.engine.connect() as connection:
        names = Recipients.of(connection)
        kept = dict(connection.execute(select(receipts.c.user_id, receipts.c.recipient).where(own(receipts))).all())
    assert kept == {n: names.address(f"u{n}@example.com") for n in (1, 2)}


def test_what_was_refused_has_none(world: World) -> None:
    world.add(1, 2)
    world.provider.answers.append(lambda *_: Refused("no", index=0))

    world.tick(LIVE)

    assert len(rows(world)) == 1
    assert rows(world) == accepted(world)


def test_an_answer_that_came_late_writes_them_once(world: World) -> None:
    world.add(1, 2)

    world.tick_without_answer(lose_the_answer)
    assert rows(world) == {}
    world.days_pass(0.1)
    world.deliver(LIVE)

    assert rows(world) == accepted(world) != {}


def test_what_the_providers_records_show_has_one_even_without_an_id(world: World) -> None:
    world.add(1, 2)
    world.tick_without_answer(never_arrive)
    world.provider.found = Found(("an id", None))
    world.days_pass(2)

    world.deliver(LIVE)

    assert sorted(str(one) for one, *_ in rows(world).values()) == ["None", "an id"]
    assert rows(world) == accepted(world)


def test_a_person_who_says_that_it_was_sent_makes_them(world: World) -> None:
    world.add(1)
    world.tick_without_answer(never_arrive)
    world.days_pass(2)
    world.deliver(LIVE)
    assert world.states() == {1: "in_doubt:no_answer"}

    def say(connection: Connection) -> None:
        for batch in ledger.in_doubt(connection, "live"):
            settle_doubt(connection, batch, "sent", write_back=False, now=world.now)

    transaction(world.engine, say)

    assert {user: one[0] for user, one in rows(world).items()} == {1: None}
    assert rows(world) == accepted(world)


def test_settled_a_second_time_they_stay_as_they_were(world: World) -> None:
    world.add(1, 2)
    world.tick(LIVE)
    before = rows(world)
    with world.engine.connect() as connection:
        batch_id = connection.execute(select(sends.c.batch_id).where(own(sends)).limit(1)).scalar_one()
        ids = dict(connection.execute(select(sends.c.send_id, sends.c.provider_id).where(own(sends))).all())
    later = world.now + timedelta(hours=1)

    transaction(world.engine, lambda c: ledger.settle(c, batch_id, ids, write_back=True, now=later))

    assert rows(world) == before


def test_what_a_restored_ledger_is_told_was_sent_has_one_when_it_is_decided_again(world: World) -> None:
    world.add(1)
    world.tick(LIVE)
    restore = backup(world)
    world.days_pass(1)
    world.add(2)
    world.tick(LIVE)
    sent_at = world.now
    restore()
    world.change(2, reminded=False)
    world.days_pass(1)
    world.add(3)
    recover(world.session(LIVE), ["resend"])

    world.tick(LIVE)

    assert rows(world) == accepted(world)
    assert rows(world)[2][2] == sent_at
