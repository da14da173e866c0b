"""A ledger from a backup that holds emails without an answer: what became of them since is never sent again."""

from datetime import timedelta
from pathlib import Path

import pytest
from delivery_world import LIVE, World, lose_the_answer, make_world, never_arrive
from neighbours import own
from restored import backup
from sqlalchemy import Connection, Engine, select

from skene_dagster.delivery import backup_recovery, ledger
from skene_dagster.delivery.backup_recovery import recover
from skene_dagster.delivery.modes import Mode
from skene_dagster.delivery.providers.base import Refused, Sent
from skene_dagster.delivery.reconcile import reconcile
from skene_dagster.errors import LedgerOutdated, ProviderUnavailable, StoreError
from skene_dagster.store import environment
from skene_dagster.store.engine import transaction
from skene_dagster.store.tables import sends


@pytest.fixture
def world(engine: Engine, tmp_path: Path) -> World:
    return make_world(engine, tmp_path)


def send_of(world: World, user: int) -> str:
    with world.engine.connect() as connection:
        mine = select(sends.c.send_id).where(own(sends), sends.c.user_id == user)
        identity: str = connection.execute(mine).scalar_one()
    return identity


def sent_in_part_since_the_backup(world: World, hours: int = 1) -> None:
    """The ledger knows of a batch of users 1 and 2 without an answer; what it did since is gone with it.

    That is: the batch was given up, made anew and cut up, for user 1 was refused; user 2 was mailed.
    """
    world.add(1, 2)
    world.tick_without_answer(never_arrive)
    mine, identity = transaction(world.engine, environment.ledger_id), send_of(world, 2)
    world.now += timedelta(hours=hours)
    world.provider.records.append(Sent("id", world.now, identity, f"{mine}-{'1' * 32}"))


@pytest.mark.parametrize("hours", [1, 25], ids=["the key lives", "the key is over"])
@pytest.mark.parametrize("on_doubt", ["skip", "resend"])
def test_what_was_sent_in_part_under_another_key_is_not_sent_under_the_one_that_the_backup_holds(
    world: World, on_doubt: str, hours: int
) -> None:
    world.rewrite_loop("type: retention", f"type: retention\non_doubt: {on_doubt}")
    sent_in_part_since_the_backup(world, hours)

    with pytest.raises(LedgerOutdated):
        world.deliver(LIVE)
    recover(world.session(LIVE), ["resend"])
    for _ in range(3):
        world.deliver(LIVE)
        world.now += timedelta(hours=24)

    assert world.provider.mailed == (["u1@example.com"] if on_doubt == "resend" else [])
    assert world.states()[2] == ("accepted" if on_doubt == "resend" else "in_doubt:no_answer")


def test_reconciling_sends_nothing_either_before_the_ledger_is_told(world: World) -> None:
    sent_in_part_since_the_backup(world)

    with pytest.raises(LedgerOutdated):
        reconcile(world.session(LIVE), [world.plan])

    assert world.provider.mailed == []


def test_what_is_recovered_in_one_mode_is_recovered_in_all(world: World) -> None:
    sent_in_part_since_the_backup(world)

    recover(world.session(Mode("redirect", "a test")), ["resend"])
    world.deliver(LIVE)

    assert world.provider.mailed == []


def test_of_two_emails_of_one_send_the_newer_tells_what_the_ledger_does_not_know(world: World) -> None:
    world.rewrite_loop("type: retention", "type: retention\non_doubt: resend")
    world.add(1)
    world.tick_without_answer(lose_the_answer)
    restore = backup(world)
    for wait in (timedelta(hours=24), timedelta(minutes=1)):
        world.now += wait
        world.deliver(LIVE)
    assert world.provider.mailed == ["u1@example.com"] * 2
    restore()
    world.now += timedelta(hours=1)

    with pytest.raises(LedgerOutdated):
        world.deliver(LIVE)
    assert recover(world.session(LIVE), ["resend"]).emails == 1
    world.deliver(LIVE)
    world.deliver(LIVE)

    assert world.provider.mailed == ["u1@example.com"] * 2
    assert world.states() == {1: "accepted"}


@pytest.mark.parametrize("page", [1, 2])
def test_until_the_ledger_is_told_all_it_sends_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch, page: int
) -> None:
    world.add(1, 2)
    world.refresh()
    restore = backup(world)
    world.reserve(LIVE)
    world.deliver(LIVE)
    restore()
    monkeypatch.setattr(backup_recovery, "PAGE", 1)
    remember, calls = ledger.remember, iter(range(1, 3))

    def dies_at_a_page(connection: Connection, accepted: dict[str, tuple[str, object]]) -> None:
        if next(calls) == page:
            raise StoreError("the database went away")
        remember(connection, accepted)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(ledger, "remember", dies_at_a_page)
        with pytest.raises(StoreError):
            recover(world.session(LIVE), ["resend"])
    world.reserve(LIVE)

    with pytest.raises(LedgerOutdated):
        world.deliver(LIVE)
    recover(world.session(LIVE), ["resend"])
    world.deliver(LIVE)

    assert world.provider.mailed == ["u1@example.com", "u2@example.com"]


@pytest.mark.parametrize("on_doubt", ["skip", "resend"])
@pytest.mark.parametrize("is_bad_still", [True, False], ids=["bad still", "good by now"])
def test_the_rest_of_a_batch_that_was_refused_since_the_backup_is_not_sent_again(
    world: World, on_doubt: str, is_bad_still: bool
) -> None:
    world.rewrite_loop("type: retention", f"type: retention\non_doubt: {on_doubt}")
    world.add(1, 2)
    restores = []

    def refused(_provider: object, _messages: object, _key: str) -> Refused:
        restores.append(backup(world))
        return Refused("Invalid `to` field", 0)

    world.provider.answers.append(refused)
    world.tick(LIVE)
    assert world.provider.mailed == ["u2@example.com"]
    restores[0]()
    world.now += timedelta(hours=1)

    with pytest.raises(LedgerOutdated):
        world.deliver(LIVE)
    assert recover(world.session(LIVE), ["resend"]).emails == 1
    if is_bad_still:
        world.provider.answers.append(lambda *_: Refused("Invalid `to` field", 0))
    for _ in range(4):
        world.deliver(LIVE)
        world.now += timedelta(hours=12)

    assert world.provider.mailed.count("u2@example.com") == 1


def test_a_part_of_a_batch_is_checked_and_rendered_again(world: World) -> None:
    world.add(1, 2, 3)

    def refused(_provider: object, _messages: object, _key: str) -> Refused:
        world.change(3, verified=False)
        return Refused("Invalid `to` field", 0)

    world.provider.answers.append(refused)
    world.tick(LIVE)

    assert world.states() == {1: "refused:provider", 2: "accepted", 3: "skipped:not_mailable"}


@pytest.mark.parametrize("is_in_flight", [False, True], ids=["sent later", "refused since, and sent in part"])
def test_an_old_email_that_was_accepted_last_hides_no_other_that_was_sent_since(
    world: World, *, is_in_flight: bool
) -> None:
    world.add(9)
    world.tick_without_answer(never_arrive)
    for _ in range(6):
        world.now += timedelta(seconds=40)
        world.provider.answers.append(never_arrive)
        with pytest.raises(ProviderUnavailable):
            world.deliver(LIVE)
    restores = [] if is_in_flight else [backup(world)]
    world.add(1, 2)

    def refused(_provider: object, _messages: object, _key: str) -> Refused:
        restores.append(backup(world))
        return Refused("Invalid `to` field", 0)

    world.now += timedelta(seconds=1)
    world.provider.answers += [refused] if is_in_flight else []
    world.tick(LIVE)
    world.now += timedelta(minutes=6)
    world.deliver(LIVE)
    before = world.provider.mailed
    assert before == (["u2@example.com"] if is_in_flight else ["u1@example.com", "u2@example.com"]) + ["u9@example.com"]
    assert world.provider.records[-1].send_id == send_of(world, 9)
    restores[0]()
    world.now += timedelta(minutes=1)

    with pytest.raises(LedgerOutdated):
        world.tick(LIVE)
    recover(world.session(LIVE), ["resend"])
    for _ in range(3):
        world.now += timedelta(hours=12)
        world.deliver(LIVE)

    assert world.provider.mailed == before
