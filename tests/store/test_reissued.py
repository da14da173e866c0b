"""An email that waited after it was frozen, while the provider had nothing of it, is asked about and rendered anew."""

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from delivery_world import LIVE, Script, World, lose_the_answer, make_world
from sqlalchemy import Engine

from skene_dagster.delivery import ledger
from skene_dagster.delivery.email.message import Message
from skene_dagster.delivery.ledger import StepScope
from skene_dagster.delivery.providers.base import Accepted, Answer, Fatal, Refused
from skene_dagster.delivery.reconcile import reconcile
from skene_dagster.delivery.send import freeze
from skene_dagster.errors import ProviderFatal

MINUTE = timedelta(minutes=1)


@pytest.fixture
def world(engine: Engine, tmp_path: Path) -> World:
    return make_world(engine, tmp_path)


def frozen(world: World, *users: int) -> None:
    """Their batch was frozen, and refused because of the key: it can go out once somebody has mended that."""
    world.add(*users)
    world.refresh()
    world.reserve(LIVE)
    world.provider.answers.append(lambda *_: Fatal("the API key is not valid"))
    with pytest.raises(ProviderFatal):
        world.deliver(LIVE)


def cut_in_two(world: World) -> None:
    """A batch of two was cut, for one address is bad, and then the key was refused."""
    world.add(1, 2)
    world.refresh()
    world.reserve(LIVE)
    world.provider.answers += [lambda *_: Refused("an address is bad", index=None), lambda *_: Fatal("no such key")]
    with pytest.raises(ProviderFatal):
        world.deliver(LIVE)


def test_within_five_minutes_it_is_sent_as_it_was_frozen_under_the_same_key(world: World) -> None:
    frozen(world, 1)
    world.change(1, name="Renamed")
    world.now += 5 * MINUTE

    world.deliver(LIVE)

    first, second = world.provider.tried
    assert first == second
    assert world.batch_states() == {"settled": 1}


def test_later_it_has_the_words_of_now_and_another_key(world: World) -> None:
    frozen(world, 1)
    world.change(1, name="Renamed")
    world.now += 6 * MINUTE

    delivered = world.deliver(LIVE)

    (first, _), (second, (message,)) = world.provider.tried
    assert first != second
    assert message.subject == "Hello Renamed"
    assert delivered.accepted == 1
    assert world.states() == {1: "accepted"}
    assert world.batch_states() == {"settled": 1, "split": 1}


def test_who_may_not_be_mailed_any_more_is_not(world: World) -> None:
    frozen(world, 1, 2)
    world.change(1, verified=False)
    world.now += 6 * MINUTE

    world.deliver(LIVE)

    assert world.provider.mailed == ["u2@example.com"]
    assert world.states() == {1: "skipped:not_mailable", 2: "accepted"}


def test_who_has_left_the_segment_is_not_mailed(world: World) -> None:
    frozen(world, 1, 2)
    world.change(1, dormant=False)
    world.now += 6 * MINUTE
    world.refresh()

    world.deliver(LIVE)

    assert world.provider.mailed == ["u2@example.com"]
    assert world.states() == {1: "skipped:left_segment", 2: "accepted"}


def test_what_may_have_left_keeps_its_bytes_and_its_key(world: World) -> None:
    world.add(1)
    world.tick_without_answer(lose_the_answer)
    world.change(1, name="Renamed", verified=False)
    world.now += timedelta(hours=2)

    world.deliver(LIVE)

    first, second = world.provider.tried
    assert first == second
    assert world.states() == {1: "accepted"}


def test_what_was_cut_out_of_a_batch_is_as_old_as_that(world: World) -> None:
    world.add(1, 2)
    world.refresh()
    world.reserve(LIVE)

    def refuse_slowly(*_: object) -> Answer:
        world.now += 4 * MINUTE
        return Refused("an address is bad", index=None)

    def accept_slowly(provider: Script, messages: Sequence[Message], key: str) -> Accepted:
        world.now += 2 * MINUTE
        world.change(1, 2, name="Renamed")
        return provider.accept(messages, key)

    world.provider.answers += [refuse_slowly, accept_slowly]
    world.deliver(LIVE)

    said = {messages[0].subject for messages in world.provider.accepted.values()}
    assert len(world.provider.accepted) == 2
    assert "Hello Renamed" in said
    assert len(said) == 2


def test_while_nothing_can_be_sent_it_is_not_reissued(world: World) -> None:
    frozen(world, 1)
    world.provider.account = "an account"
    session = world.session(LIVE)
    session.do(session.outlet("resend").pacing.take)
    session.outlet("resend").pacing.hold(world.now + timedelta(hours=12), "the quota is used up", closes=True)
    for _ in range(3):
        world.now += timedelta(hours=1)
        world.deliver(LIVE)

    assert world.batch_states() == {"frozen": 1}


def test_the_reconciliation_sends_what_it_reissues(world: World) -> None:
    cut_in_two(world)
    world.change(1, verified=False)
    world.now += timedelta(hours=1)

    reconcile(world.session(LIVE), [world.plan])

    assert world.provider.mailed == ["u2@example.com"]
    assert world.states() == {1: "skipped:not_mailable", 2: "accepted"}


def test_the_reconciliation_sends_all_parts_of_a_batch_that_is_too_large_for_a_row(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(freeze, "LARGEST_PAYLOAD", 2000)
    world.add_large(*range(1, 9))
    world.refresh()
    world.reserve(LIVE)
    with world.engine.begin() as connection:
        scope = StepScope("live", world.plan.name, world.step.ledger_name)
        batch = ledger.batch_of(connection, ledger.due(connection, scope, world.now)[0].batch_id)
        everybody = [row.send_id for row in ledger.members_of(connection, batch.batch_id)]
        ledger.split(connection, batch, [everybody], world.now)
    world.now += 3 * MINUTE

    reconcile(world.session(LIVE), [world.plan])

    assert world.provider.mailed == [f"u{user}@example.com" for user in range(1, 9)]


def test_the_reconciliation_sends_nothing_that_a_broken_loop_would_have_to_render(world: World) -> None:
    cut_in_two(world)
    world.now += timedelta(hours=1)

    reconcile(world.session(LIVE), [])
    assert world.provider.mailed == []

    world.deliver(LIVE)
    assert world.provider.mailed == ["u1@example.com", "u2@example.com"]
