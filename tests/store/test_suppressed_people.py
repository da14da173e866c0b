"""A "no" is heard when an email is decided, when it is rendered, and when an attempt to send it begins."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest
from delivery_world import LIVE, Script, Scripted, World, make_world, never_arrive
from sqlalchemy import Connection, Engine, update

from skene_dagster.consent import suppressions
from skene_dagster.consent.recipient import Recipients
from skene_dagster.consent.suppressions import Scope, Suppression
from skene_dagster.delivery import ledger
from skene_dagster.delivery.email.message import Message
from skene_dagster.delivery.ledger import StepScope
from skene_dagster.delivery.providers.base import Answer, Later, Refused, Unreachable
from skene_dagster.delivery.rehearsal import Stage, rehearse
from skene_dagster.errors import ProviderUnavailable
from skene_dagster.store.engine import transaction
from skene_dagster.store.tables import batches


@pytest.fixture
def world(engine: Engine, tmp_path: Path) -> World:
    return make_world(engine, tmp_path)


def suppressed(world: World, *, address: str = "", user: int | None = None, scope: Scope = "all") -> None:
    def write(connection: Connection) -> None:
        names = Recipients.of(connection)
        recipient = names.address(address) if user is None else names.user(user)
        suppressions.suppress(connection, [Suppression(recipient, scope, world.now, "manual", "a test")], world.now)

    transaction(world.engine, write)


def lifted(world: World, address: str) -> None:
    def write(connection: Connection) -> None:
        suppressions.lift(connection, [Recipients.of(connection).address(address)], "a test", world.now)

    transaction(world.engine, write)


def mail_what_was_asked_for(world: World) -> None:
    for file in ("hello.mjml", "hello.txt"):
        template = world.settings.templates / file
        text = template.read_text(encoding="utf-8").replace("{{ unsubscribe_url }}", "https://example.com")
        template.write_text(text.replace("{{ postal_address }}", ""), encoding="utf-8")
    world.rewrite_loop("      set: {reminded: true}\n", "      transactional: true\n")


def test_whoever_is_suppressed_is_not_decided_to_be_mailed(world: World) -> None:
    world.add(1, 2, 3)
    suppressed(world, address="U1@EXAMPLE.com")
    suppressed(world, user=2, scope="marketing")

    world.tick(LIVE)

    assert world.states() == {1: "skipped:suppressed", 2: "skipped:said_no", 3: "accepted"}
    assert world.provider.mailed == ["u3@example.com"]


def test_an_email_that_was_asked_for_reaches_who_wants_no_marketing_but_no_dead_address(world: World) -> None:
    mail_what_was_asked_for(world)
    world.add(1, 2)
    suppressed(world, address="u1@example.com")
    suppressed(world, user=2, scope="marketing")

    world.tick(LIVE)

    assert world.states() == {1: "skipped:suppressed", 2: "accepted"}


def test_a_no_follows_its_user_to_a_new_address_and_a_dead_address_does_not(world: World) -> None:
    world.add(1, 2)
    suppressed(world, user=1, scope="marketing")
    suppressed(world, address="u2@example.com")
    world.change(1, email="new1@example.com")
    world.change(2, email="new2@example.com")

    world.tick(LIVE)

    assert world.states() == {1: "skipped:said_no", 2: "accepted"}


def test_two_users_of_one_dead_address_are_both_skipped(world: World) -> None:
    world.add(1, 2)
    world.change(2, email="U1@example.com")
    suppressed(world, address="u1@example.com")

    world.tick(LIVE)

    assert world.states() == {1: "skipped:suppressed", 2: "skipped:suppressed"}


def test_an_address_in_another_form_of_its_domain_is_the_same(world: World) -> None:
    world.add(1)
    world.change(1, email="user@Bücher.example")
    suppressed(world, address="user@xn--bcher-kva.example")

    world.tick(LIVE)

    assert world.states() == {1: "skipped:suppressed"}


def test_who_is_suppressed_after_they_were_reserved_is_not_mailed(world: World) -> None:
    world.add(1, 2)
    world.refresh()
    world.reserve(LIVE)
    suppressed(world, address="u1@example.com")

    world.deliver(LIVE)

    assert world.states() == {1: "skipped:suppressed", 2: "accepted"}


@pytest.mark.parametrize(
    "answer",
    [Later(1.0, "409"), Unreachable("no route to host"), Refused("Invalid `to` field", 2)],
    ids=["later", "unreachable", "refused for another"],
)
def test_a_no_since_the_freeze_stops_what_the_provider_certainly_has_not(world: World, answer: Answer) -> None:
    world.add(1, 2, 3)

    def says(_provider: Script, _messages: Sequence[Message], _key: str) -> Answer:
        suppressed(world, user=1, scope="marketing")
        return answer

    _until_settled(world, says)

    third = "refused:provider" if isinstance(answer, Refused) else "accepted"
    assert world.states() == {1: "skipped:said_no", 2: "accepted", 3: third}
    assert "u1@example.com" not in world.provider.mailed


def test_a_batch_that_an_older_release_froze_is_rendered_anew(world: World) -> None:
    world.add(1, 2)

    def later(_provider: Script, _messages: Sequence[Message], _key: str) -> Answer:
        suppressed(world, address="u1@example.com")
        with world.engine.begin() as connection:
            connection.execute(update(batches).values(recipients=None))
        return Later(1.0, "409")

    _until_settled(world, later)

    assert world.states() == {1: "skipped:suppressed", 2: "accepted"}


def test_after_an_attempt_without_answer_the_same_bytes_are_repeated_under_its_key(world: World) -> None:
    world.add(1, 2)

    def never_arrives(provider: Script, messages: Sequence[Message], key: str) -> Answer:
        suppressed(world, address="u1@example.com")
        return never_arrive(provider, messages, key)

    _until_settled(world, never_arrives)

    assert world.states() == {1: "accepted", 2: "accepted"}
    assert len({key for key, _ in world.provider.tried}) == 1


def test_a_no_to_marketing_stops_no_frozen_email_that_was_asked_for(world: World) -> None:
    mail_what_was_asked_for(world)
    world.add(1)

    def later(_provider: Script, _messages: Sequence[Message], _key: str) -> Answer:
        suppressed(world, user=1, scope="marketing")
        return Later(1.0, "409")

    _until_settled(world, later)

    assert world.states() == {1: "accepted"}
    assert len({key for key, _ in world.provider.tried}) == 1


def test_a_no_to_the_address_that_a_batch_was_frozen_with_stops_it_after_the_user_has_moved(world: World) -> None:
    world.add(1)

    def later(_provider: Script, _messages: Sequence[Message], _key: str) -> Answer:
        suppressed(world, address="u1@example.com")
        world.change(1, email="new@example.com")
        return Later(1.0, "409")

    _until_settled(world, later)
    assert world.states() == {1: "deferred:new_address"}

    world.days_pass(1)
    world.tick(LIVE)
    assert world.provider.mailed == ["new@example.com"]


def test_a_person_may_have_them_decided_again_after_a_lift(world: World) -> None:
    world.add(1)
    suppressed(world, address="u1@example.com")
    world.tick(LIVE)
    lifted(world, "u1@example.com")
    scope = StepScope("live", world.plan.name, world.step.ledger_name)

    transaction(world.engine, lambda c: ledger.reconsider(c, scope, by_row=False))
    world.days_pass(1)
    world.tick(LIVE)

    assert world.states() == {1: "accepted"}


def test_a_preview_says_who_is_suppressed(world: World) -> None:
    world.add(1, 2)
    suppressed(world, user=1, scope="marketing")

    found = rehearse(Stage(world.engine, world.plan, world.step, world.settings, LIVE, world.now), 5)

    assert found.counts == {"skipped:said_no": 1, "mail": 1}


def test_a_lift_holds_for_the_next_entry_and_not_for_the_one_that_was_skipped(world: World) -> None:
    world.rewrite_loop("      set: {reminded: true}\n", "      repeat: every_entry\n")
    world.add(1, 2, 3)
    suppressed(world, address="u1@example.com")
    world.tick(LIVE)
    lifted(world, "u1@example.com")
    world.days_pass(1)
    world.tick(LIVE)
    assert world.states()[1] == "skipped:suppressed"
    world.change(1, dormant=False)
    world.days_pass(1)
    world.tick(LIVE)
    world.change(1, dormant=True)
    world.days_pass(1)

    world.tick(LIVE)

    assert world.states()[1] == "accepted"


def _until_settled(world: World, *answers: Scripted) -> None:
    world.refresh()
    world.reserve(LIVE)
    world.provider.answers += answers
    for _ in range(5):
        with suppress(ProviderUnavailable):
            world.deliver(LIVE)
        world.now += timedelta(seconds=45)
    assert "frozen" not in world.batch_states()
