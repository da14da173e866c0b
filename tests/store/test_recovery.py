"""A ledger that was restored from a backup sends nothing until it knows what it sent since; then nobody twice."""

import random
import string
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from delivery_world import LIVE, World, lose_the_answer, make_world
from neighbours import own
from restored import backup
from sqlalchemy import Engine, delete, select

from skene_dagster.delivery.backup_recovery import recover, refuse_an_outdated_ledger
from skene_dagster.delivery.providers.base import Fatal, Refused, Sent
from skene_dagster.delivery.send import freeze
from skene_dagster.errors import DeliveryError, LedgerOutdated, ProviderFatal
from skene_dagster.store import environment
from skene_dagster.store.engine import transaction
from skene_dagster.store.tables import batches, sends, steps


@pytest.fixture
def world(engine: Engine, tmp_path: Path) -> World:
    made = make_world(engine, tmp_path)
    # Segments of a handful of users, of which half may leave.
    made.settings = replace(made.settings, limits=made.settings.limits.model_copy(update={"least_change": 10}))
    return made


def mailed_since_a_backup(world: World) -> None:
    """Users 1 and 2 were mailed, then the backup was made, then 3 and 4 were mailed, then it was restored."""
    world.add(1, 2)
    world.tick(LIVE)
    world.change(1, 2, dormant=False)
    restore = backup(world)
    world.days_pass(1)
    world.add(3, 4)
    world.tick(LIVE)
    restore()
    world.change(3, 4, reminded=False)
    world.days_pass(1)
    world.add(5)


def test_a_ledger_from_a_backup_sends_nothing(world: World) -> None:
    mailed_since_a_backup(world)

    with pytest.raises(
        LedgerOutdated,
        match=r"^the provider accepted an email of this ledger's at .* of which the ledger knows nothing: it was "
        r"restored from an older backup\. Nothing is sent\. Run: skene-dagster recover$",
    ):
        world.tick(LIVE)

    assert world.provider.mailed == [f"u{n}@example.com" for n in (1, 2, 3, 4)]


def test_after_it_is_told_what_was_sent_it_goes_on_and_nobody_is_mailed_twice(world: World) -> None:
    mailed_since_a_backup(world)
    with pytest.raises(LedgerOutdated):
        world.tick(LIVE)

    found = recover(world.session(LIVE), ["resend"])
    world.deliver(LIVE)

    assert (found.emails, found.left) == (2, "")
    assert world.provider.mailed == [f"u{n}@example.com" for n in (1, 2, 3, 4, 5)]
    assert {world.states()[user] for user in (3, 4, 5)} == {"accepted"}
    assert set(world.batch_states()) == {"settled"}
    assert world.reminded() == {1, 2, 3, 4, 5}
    with world.engine.connect() as connection:
        kept = connection.execute(
            select(sends.c.provider_id, sends.c.accepted_at).where(own(sends), sends.c.user_id == 3)
        ).one()
    assert kept.provider_id in {sent.provider_id for sent in world.provider.records}
    assert kept.accepted_at == world.now - timedelta(days=1)


def test_to_recover_twice_is_to_recover_once(world: World) -> None:
    mailed_since_a_backup(world)

    assert [recover(world.session(LIVE), ["resend"]).emails for _ in range(2)] == [2, 0]


def test_a_batch_that_the_backup_holds_but_never_saw_attempted_is_not_sent_again(world: World) -> None:
    world.add(1)
    world.refresh()
    world.reserve(LIVE)
    restore = backup(world)
    world.deliver(LIVE)
    restore()

    with pytest.raises(LedgerOutdated):
        world.deliver(LIVE)
    recover(world.session(LIVE), ["resend"])
    world.deliver(LIVE)

    assert world.provider.mailed == ["u1@example.com"]


def test_what_the_backup_holds_frozen_is_rendered_anew_without_who_was_mailed(world: World) -> None:
    world.add(1, 2)
    world.refresh()
    world.reserve(LIVE)
    world.provider.account = "an account"
    session = world.session(LIVE)
    session.do(session.outlet("resend").pacing.take)
    session.outlet("resend").pacing.hold(world.now + timedelta(hours=1), "the quota is used up", closes=True)
    world.deliver(LIVE)
    frozen = world.batch_states()
    restore = backup(world)
    world.days_pass(1)
    world.deliver(LIVE)
    restore()
    world.days_pass(2)
    world.change(2, dormant=False)

    recover(world.session(LIVE), ["resend"])
    world.tick(LIVE)

    assert frozen == {"frozen": 1}
    assert world.provider.mailed == ["u1@example.com", "u2@example.com"]
    assert world.states() == {1: "accepted", 2: "accepted"}


def test_what_the_backup_knows_as_refused_may_have_been_accepted_since(world: World) -> None:
    world.add(1)
    world.refresh()
    world.reserve(LIVE)
    world.provider.answers.append(lambda *_: Fatal("the API key is not valid"))
    with pytest.raises(ProviderFatal):
        world.deliver(LIVE)
    restore = backup(world)
    world.now += timedelta(minutes=4)
    world.deliver(LIVE)
    restore()
    world.days_pass(2)

    with pytest.raises(LedgerOutdated):
        world.deliver(LIVE)
    recover(world.session(LIVE), ["resend"])
    world.deliver(LIVE)

    assert world.provider.mailed == ["u1@example.com"]
    assert world.states() == {1: "accepted"}


def test_an_email_in_doubt_that_was_made_anew_makes_no_ledger_look_older_than_it_is(world: World) -> None:
    world.rewrite_loop("type: retention", "type: retention\non_doubt: resend")
    world.add(1)
    world.tick_without_answer(lose_the_answer)
    world.change(1, email="")
    world.now += timedelta(hours=23)
    world.deliver(LIVE)
    world.add(2)

    world.tick(LIVE)

    assert world.states() == {1: "deferred:no_address", 2: "accepted"}


def test_nor_does_one_that_had_been_cut_out_of_a_batch_with_a_bad_address(world: World) -> None:
    world.rewrite_loop("type: retention", "type: retention\non_doubt: resend")
    world.add(1, 2)
    world.tick_without_answer(lambda *_: Refused("Invalid `to` field", 0), lose_the_answer)
    world.change(2, email="")
    world.now += timedelta(hours=23)
    world.deliver(LIVE)
    world.add(3)

    world.tick(LIVE)

    assert world.states() == {1: "refused:provider", 2: "deferred:no_address", 3: "accepted"}


def test_a_ledger_that_was_not_restored_is_not_stopped(world: World) -> None:
    for user in range(1, 4):
        world.add(user)
        world.days_pass(1)
        world.tick(LIVE)

    assert len(world.provider.mailed) == 3


def test_emails_of_others_by_the_same_account_stop_nothing(world: World) -> None:
    world.add(1)
    world.tick(LIVE)
    world.days_pass(1)
    world.provider.records += [
        Sent("a", world.now, "", ""),
        Sent("b", world.now, "5" * 32, f"{'0' * 32}-{'1' * 32}"),
    ]
    world.add(2)

    world.tick(LIVE)

    assert len(world.provider.mailed) == 2


def test_a_copy_that_was_adopted_is_another_ledger(world: World) -> None:
    world.add(1)
    world.tick(LIVE)
    world.days_pass(1)
    with world.engine.begin() as connection:
        connection.execute(delete(sends).where(own(sends)))
        connection.execute(delete(batches).where(own(batches)))
        connection.execute(delete(steps).where(own(steps)))

    environment.adopt(world.engine, "production")

    assert world.tick(LIVE).counts == {"accepted": 1}


def test_records_that_cannot_be_read_stop_nothing_and_that_is_said(world: World) -> None:
    mailed_since_a_backup(world)
    world.provider.records.clear()
    world.provider.denied = "this key may only send"
    said: list[str] = []
    session = replace(world.session(LIVE), say=said.append)
    world.refresh()
    world.reserve(LIVE)

    refuse_an_outdated_ledger(session, "resend")

    assert said == ["Could not check whether the ledger was restored from a backup: this key may only send."]


def test_records_that_end_too_early_recover_only_what_a_person_takes(world: World) -> None:
    mailed_since_a_backup(world)
    world.provider.denied = "the log does not reach back"
    del world.provider.records[:2]

    with pytest.raises(
        DeliveryError,
        match=r"Cannot find out what was sent since the backup: the log does not reach back\..*recover --incomplete",
    ):
        recover(world.session(LIVE), ["resend"])
    found = recover(world.session(LIVE), ["resend"], incomplete=True)

    assert (found.emails, found.left) == (2, "the log does not reach back")


def test_records_that_reach_back_to_an_email_that_the_ledger_knows_tell_all(world: World) -> None:
    mailed_since_a_backup(world)
    world.provider.denied = "there are none before"

    found = recover(world.session(LIVE), ["resend"])

    assert (found.emails, found.left) == (2, "")


def test_a_ledger_has_one_name_for_ever(world: World) -> None:
    names = {transaction(world.engine, environment.ledger_id) for _ in range(2)}

    assert len(names) == 1


def test_a_batch_that_was_cut_for_its_size_makes_no_ledger_look_older_than_it_is(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.add(*range(1, 9))
    for user in range(1, 9):
        world.change(user, name="".join(random.Random(user).choices(string.ascii_letters, k=100)))
    monkeypatch.setattr(freeze, "LARGEST_PAYLOAD", 2300)
    world.tick(LIVE)
    world.days_pass(1)
    world.add(9)

    world.tick(LIVE)

    assert world.batch_states()["split"] == 3
    assert world.provider.mailed == [f"u{n}@example.com" for n in range(1, 10)]


def test_an_unknown_email_counts_though_the_clock_of_its_record_is_a_minute_behind(world: World) -> None:
    world.add(1)
    world.tick(LIVE)
    mine = transaction(world.engine, environment.ledger_id)
    behind = world.now - timedelta(minutes=1)
    world.provider.records.append(Sent("unknown", behind, "5" * 32, f"{mine}-{'1' * 32}"))
    world.add(2)
    world.days_pass(1)

    with pytest.raises(LedgerOutdated):
        world.tick(LIVE)

    assert recover(world.session(LIVE), ["resend"]).emails == 1


def test_a_delivery_with_nothing_to_send_asks_the_provider_nothing(world: World) -> None:
    mailed_since_a_backup(world)
    world.change(3, 4, 5, dormant=False)

    delivered = world.tick(LIVE)

    assert delivered.open == 0
