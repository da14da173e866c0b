"""Steps that send by another provider: one without keys repeats nothing, and each batch stays with its own."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import ClassVar

import pytest
from delivery_world import LIVE, LOOP, Script, World, lose_the_answer, make_world, never_arrive, planned
from neighbours import own
from sqlalchemy import Engine, select

from skene_dagster.delivery.email.message import Message
from skene_dagster.delivery.providers import registry
from skene_dagster.delivery.providers.base import Answer, Later, Provider, Terms, Throttled, Unreachable
from skene_dagster.delivery.reconcile import reconcile
from skene_dagster.errors import ProviderUnavailable
from skene_dagster.store.tables import batches

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
BY_SMTP = LOOP.replace("      template:", "      provider: smtp\n      template:")


@dataclass
class Keyless(Script):
    """A provider without keys and records, with batches of one; a test scripts its answers."""

    name: ClassVar[str] = "SMTP"
    terms: ClassVar[Terms] = registry.named("smtp").terms


@dataclass
class TwoProviders(World):
    by_smtp: Keyless = field(default_factory=Keyless)

    def open_provider(self, name: str) -> Provider:
        return {"resend": self.provider, "smtp": self.by_smtp}[name]

    def says(self, loop: str) -> None:
        self.plan = planned(self.root, self.settings, loop)


@pytest.fixture
def world(engine: Engine, tmp_path: Path) -> TwoProviders:
    made = make_world(engine, tmp_path)
    world = TwoProviders(made.engine, made.root, made.settings, made.plan)
    world.provider.clock = world.by_smtp.clock = world.clock
    world.says(BY_SMTP)
    return world


def reserved(world: World, count: int) -> None:
    world.add(*range(1, count + 1))
    world.refresh()
    world.reserve(LIVE)


def answer(given: Answer) -> Callable[[Script, Sequence[Message], str], Answer]:
    return lambda _provider, _messages, _key: given


def states(world: World) -> list[str]:
    return sorted(world.states().values())


def names(world: World) -> list[str | None]:
    query = select(batches.c.provider).where(own(batches), batches.c.state != "split")
    with world.engine.connect() as connection:
        return sorted(connection.execute(query).scalars(), key=str)


def test_each_email_is_a_batch_of_its_own_and_says_by_whom_it_is_sent(world: TwoProviders) -> None:
    reserved(world, 3)

    delivered = world.deliver(LIVE)

    assert delivered.accepted == 3
    assert world.batch_states() == {"settled": 3}
    assert names(world) == ["smtp"] * 3
    assert (len(world.by_smtp.tried), world.provider.tried) == (3, [])


@pytest.mark.parametrize("how", [never_arrive, lose_the_answer])
def test_silence_is_a_doubt_at_once_that_nothing_repeats_and_ends_the_run(
    world: TwoProviders, how: Callable[[Script, Sequence[Message], str], Answer]
) -> None:
    reserved(world, 3)
    world.by_smtp.answers.append(how)

    with pytest.raises(ProviderUnavailable, match="1 batches got no answer from SMTP"):
        world.deliver(LIVE)

    assert states(world) == ["in_doubt:no_answer", "reserved", "reserved"]
    assert len(world.by_smtp.tried) == 1
    world.deliver(LIVE)
    for _ in range(3):
        world.now += 25 * HOUR
        reconcile(world.session(LIVE, owner="reconcile"), [world.plan])
    assert states(world) == ["accepted", "accepted", "in_doubt:no_answer"]
    assert len({key for key, _ in world.by_smtp.tried}) == len(world.by_smtp.tried) == 3


def test_what_cannot_be_reached_leaves_no_doubt_and_is_tried_again(world: TwoProviders) -> None:
    reserved(world, 4)
    world.by_smtp.answers += [answer(Unreachable("connection refused"))] * 3

    with pytest.raises(ProviderUnavailable, match="connection refused"):
        world.deliver(LIVE)

    assert states(world) == ["reserved"] * 4
    assert len(world.by_smtp.tried) == 3
    world.now += MINUTE
    world.deliver(LIVE)
    assert states(world) == ["accepted"] * 4
    assert len(world.by_smtp.mailed) == 4


def test_an_email_that_is_to_come_later_waits_alone(world: TwoProviders) -> None:
    reserved(world, 3)
    world.by_smtp.answers.append(answer(Later(300.0, "450 greylisted")))

    delivered = world.deliver(LIVE)

    assert (delivered.accepted, delivered.open, delivered.stopped_because) == (2, 1, "")
    world.now += 4 * MINUTE
    world.deliver(LIVE)
    assert len(world.by_smtp.tried) == 3
    world.now += 8 * MINUTE
    reconcile(world.session(LIVE, owner="reconcile"), [world.plan])
    assert states(world) == ["accepted"] * 3


def test_who_takes_the_risk_of_a_second_email_takes_it_once_in_23_hours(world: TwoProviders) -> None:
    world.says(f"{BY_SMTP}on_doubt: resend\n")
    reserved(world, 1)
    world.by_smtp.answers.append(never_arrive)
    with pytest.raises(ProviderUnavailable):
        world.deliver(LIVE)

    world.now += 23 * HOUR - MINUTE
    reconcile(world.session(LIVE, owner="reconcile"), [world.plan])
    before = len(world.by_smtp.tried)
    world.now += 2 * HOUR
    reconcile(world.session(LIVE, owner="reconcile"), [world.plan])

    assert (before, len(world.by_smtp.tried)) == (1, 2)
    assert states(world) == ["accepted"]


def test_what_nobody_has_is_sent_by_the_provider_that_its_step_names_now(world: TwoProviders) -> None:
    world.says(LOOP)
    reserved(world, 3)
    world.provider.answers.append(answer(Throttled(3600.0, "the quota is used up")))
    assert world.deliver(LIVE).stopped_because == "the quota is used up"

    world.says(BY_SMTP)
    world.deliver(LIVE)

    assert states(world) == ["accepted"] * 3
    assert (world.provider.mailed, len(world.by_smtp.mailed)) == ([], 3)
    assert names(world) == ["smtp"] * 3


def test_a_reconciliation_that_sends_by_another_provider_now_ends_at_its_first_silence(world: TwoProviders) -> None:
    world.says(LOOP)
    for user in range(1, 5):
        world.add(user)
        world.refresh()
        world.reserve(LIVE)
        world.now += timedelta(seconds=1)
    world.provider.answers += [answer(Later(300.0, "later"))] * 4
    world.deliver(LIVE)
    world.says(BY_SMTP)
    world.now += 8 * MINUTE
    world.by_smtp.answers += [never_arrive] * 4

    with pytest.raises(ProviderUnavailable):
        reconcile(world.session(LIVE), [world.plan])

    assert len(world.by_smtp.tried) == 1
    assert sorted(world.states().values()) == ["in_doubt:no_answer", "reserved", "reserved", "reserved"]


def test_a_reconciliation_sends_all_parts_of_a_batch_that_its_new_provider_takes_one_by_one(
    world: TwoProviders,
) -> None:
    world.says(LOOP)
    reserved(world, 3)
    world.provider.answers.append(answer(Later(300.0, "later")))
    world.deliver(LIVE)
    world.says(BY_SMTP)
    world.now += 8 * MINUTE

    reconcile(world.session(LIVE), [world.plan])

    assert world.by_smtp.mailed == ["u1@example.com", "u2@example.com", "u3@example.com"]


def test_what_may_have_been_taken_is_resolved_with_the_provider_that_it_was_sent_by(world: TwoProviders) -> None:
    world.says(LOOP)
    reserved(world, 2)
    world.provider.answers.append(lose_the_answer)
    with pytest.raises(ProviderUnavailable):
        world.deliver(LIVE)

    world.says(BY_SMTP)
    world.now += 5 * MINUTE
    world.deliver(LIVE)

    assert states(world) == ["accepted"] * 2
    assert len({key for key, _ in world.provider.tried}) == 1
    assert world.by_smtp.tried == []
    assert names(world) == ["resend"]


@pytest.mark.parametrize("who", ["deliver", "reconcile"])
def test_a_provider_that_takes_nothing_holds_up_its_own_emails_alone(world: TwoProviders, who: str) -> None:
    world.says(LOOP)
    world.add(1, 2)
    world.refresh()
    world.reserve(LIVE, page=1)
    world.provider.answers += [never_arrive] * 2
    with pytest.raises(ProviderUnavailable):
        world.deliver(LIVE)
    world.says(BY_SMTP)
    world.add(3, 4)
    world.now += 3 * MINUTE
    world.refresh()
    world.reserve(LIVE)
    quota = answer(Throttled(3600.0, "the quota is used up"))
    world.provider.answers.append(quota)

    if who == "deliver":
        stopped_because = world.deliver(LIVE).stopped_because
    else:
        world.by_smtp.answers += [answer(Later(1.0, "not now"))] * 2
        world.deliver(LIVE)
        world.now += 10 * MINUTE
        world.provider.answers.append(quota)
        stopped_because = reconcile(world.session(LIVE, owner="reconcile"), [world.plan]).stopped_because

    assert sorted(world.by_smtp.mailed) == ["u3@example.com", "u4@example.com"]
    assert (stopped_because, world.provider.mailed) == ("the quota is used up", [])


def test_a_rehearsal_is_never_sent_by_a_steps_own_provider(world: TwoProviders) -> None:
    world.add(1)
    world.says(BY_SMTP)
    redirected = replace(LIVE, name="redirect")
    world.settings = replace(world.settings, redirect_to="me@example.com")
    world.refresh()
    world.reserve(redirected)

    world.deliver(redirected)

    assert world.by_smtp.mailed == ["me@example.com"]
