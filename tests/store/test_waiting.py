"""A batch that cannot go on now waits its own time and holds up no other; what it waits for is told, and ends."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from delivery_world import LIVE, Script, Scripted, World, lose_the_answer, make_world, never_arrive
from sqlalchemy import Engine, text

from skene_dagster.delivery import controls, ledger
from skene_dagster.delivery.email.message import Message, origin
from skene_dagster.delivery.health import LookedAt, Wait, health
from skene_dagster.delivery.ledger import StepScope
from skene_dagster.delivery.providers.base import (
    Absent,
    Answer,
    Finding,
    Found,
    Refused,
    Sent,
    Throttled,
    Unknown,
    Unprovable,
)
from skene_dagster.delivery.reconcile import is_wanted, reconcile
from skene_dagster.errors import LedgerOutdated, ProviderUnavailable, StoreError, TemplateError
from skene_dagster.store import environment
from skene_dagster.store.engine import transaction

MINUTE = timedelta(minutes=1)


@pytest.fixture
def world(engine: Engine, tmp_path: Path) -> World:
    world = make_world(engine, tmp_path)
    # Whoever comes, comes in numbers here.
    limits = world.settings.limits.model_copy(update={"explosion": 1000.0})
    world.settings = replace(world.settings, limits=limits)
    return world


def answer(given: Answer) -> Scripted:
    return lambda _provider, _messages, _key: given


def reserved(world: World, count: int = 1) -> None:
    first = len(world.states()) + 1
    world.add(*range(first, first + count))
    world.refresh()
    world.reserve()


def silent(world: World, *answers: Scripted) -> None:
    """Let a run end that hears nothing."""
    world.provider.answers += answers or [never_arrive]
    with pytest.raises(ProviderUnavailable):
        world.deliver()


def refused(world: World, reason: str = "422: a bad address") -> None:
    """Let the one batch be refused a minute after an attempt without answer."""
    reserved(world)
    silent(world)
    world.now += MINUTE
    world.provider.answers.append(answer(Refused(reason)))
    world.deliver()


def keys(world: World) -> list[str]:
    return [key for key, _ in world.provider.tried]


def waits(world: World) -> tuple[Wait, ...]:
    return transaction(
        world.engine, lambda c: health(c, [LookedAt(world.plan, world.step)], "outbox", world.now)[0]
    ).waits


def test_batches_that_are_refused_after_an_attempt_without_answer_neither_stop_nor_fail_a_run(world: World) -> None:
    reserved(world, 600)
    silent(world, *[never_arrive] * 3)
    lost = set(keys(world))
    world.now += MINUTE

    def refuse_the_lost(provider: Script, messages: Sequence[Message], key: str) -> Answer:
        return Refused("422: a bad address") if key in lost else provider.accept(messages, key)

    world.provider.answers += [refuse_the_lost] * 6

    delivered = world.deliver()

    assert (delivered.open, delivered.counts) == (3, {"accepted": 300, "reserved": 300})
    assert len(keys(world)) == 9


@pytest.mark.parametrize(
    "sign",
    [
        Refused("422"),
        Throttled(1.0, "429"),
        Throttled(1.0, "409", everybody=False),
        Unknown("409: other", answered=True),
    ],
    ids=["a refusal", "a throttle", "work on a key", "a key that was used"],
)
def test_whatever_the_provider_answers_is_a_sign_of_its_life(world: World, sign: Answer) -> None:
    reserved(world, 600)
    world.provider.answers += [never_arrive, never_arrive, answer(sign), never_arrive, never_arrive]

    with pytest.raises(ProviderUnavailable):
        world.deliver()

    assert {n for n, state in world.states().items() if state == "accepted"}


def test_what_waits_longest_goes_first_however_many_come_new(world: World) -> None:
    reserved(world)
    silent(world)
    world.now += 10 * MINUTE
    reserved(world, 500)

    world.deliver()

    assert keys(world)[0] == keys(world)[1]
    assert len(set(keys(world))) == 6


def test_what_was_tried_lets_go_first_what_was_not(world: World) -> None:
    reserved(world, 400)
    silent(world, *[never_arrive] * 3)
    world.now += timedelta(seconds=5)

    world.deliver()

    assert len(set(keys(world)[:4])) == 4
    assert set(keys(world)[4:]) == set(keys(world)[:3])


def test_a_batch_without_answer_waits_twice_as_long_each_time_and_five_minutes_at_most(world: World) -> None:
    reserved(world)
    waited = []
    for _ in range(11):
        silent(world)
        (wait,) = waits(world)
        waited.append((wait.due - world.now).total_seconds())
        world.now = wait.due - timedelta(seconds=0.1)
        world.deliver()
        world.now = wait.due

    assert waited == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]
    assert len(keys(world)) == 11


def test_a_key_that_was_refused_after_an_attempt_without_answer_is_not_used_again(world: World) -> None:
    refused(world)
    world.provider.found = Unprovable("denied")

    for _ in range(22):
        world.now += timedelta(hours=1)
        world.deliver()
        reconcile(world.session(owner="reconcile"), [world.plan])

    assert len(keys(world)) == 2
    assert len(world.provider.asked) >= 20


def test_the_records_prove_an_absence_by_two_looks_well_after_the_attempt_without_answer(world: World) -> None:
    reserved(world)
    silent(world)
    began = world.now
    world.now += MINUTE
    world.provider.answers.append(answer(Refused("422: a bad address")))
    world.provider.found = Absent()
    while len(keys(world)) < 3:
        world.deliver()
        world.now += timedelta(seconds=10)

    assert [at - began for at, _, _ in world.provider.asked] == [10 * MINUTE, 15 * MINUTE]
    assert {(since, until) for _, since, until in world.provider.asked} == {(began, began)}
    assert len(set(keys(world))) == 2
    assert world.states() == {1: "accepted"}


def test_reconcile_renders_a_template_that_is_a_link_within_the_project(world: World) -> None:
    template, shared = world.settings.templates / "hello.mjml", world.root / "shared.mjml"
    template.rename(shared)
    template.symlink_to(shared)
    reserved(world)
    silent(world)
    world.now += MINUTE
    world.provider.answers.append(answer(Refused("422: a bad address")))
    world.deliver()
    world.provider.found = Absent()

    for _ in range(5):
        world.now += 5 * MINUTE
        reconcile(world.session(owner="reconcile"), [world.plan])

    assert world.states() == {1: "accepted"}


def test_what_the_provider_took_in_nine_minutes_after_the_attempt_is_found(world: World) -> None:
    reserved(world)
    silent(world)
    began = world.now

    class Late(Script):
        @property
        def found(self) -> Finding:
            accepted = tuple(f"id-{message.send_id}" for message in self.tried[0][1])
            return Found(accepted) if world.now - began >= 9 * MINUTE else Absent()

        @found.setter
        def found(self, _value: Finding) -> None: ...

    late = Late()
    late.clock, late.tried = world.clock, world.provider.tried
    late.answers = [answer(Refused("422: a bad address"))]
    world.provider = late
    while world.now - began < 30 * MINUTE:
        world.now += MINUTE
        world.deliver()

    assert len(keys(world)) == 2
    assert world.states() == {1: "accepted"}


@pytest.mark.parametrize("on_doubt", ["skip", "resend"])
def test_who_may_not_read_the_records_waits_for_the_end_of_the_key(world: World, on_doubt: str) -> None:
    world.rewrite_loop("type: retention", f"type: retention\non_doubt: {on_doubt}")
    world.provider.found = Unprovable("401 restricted_api_key")
    refused(world)
    began = world.now - MINUTE
    world.now += 20 * MINUTE
    world.deliver()
    (wait,) = waits(world)
    world.now = began + timedelta(hours=23) - MINUTE
    world.deliver()
    before = world.states(), len(set(keys(world)))
    world.now += MINUTE

    world.deliver()

    assert (wait.said, wait.records) == ("422: a bad address", "401 restricted_api_key")
    assert (wait.since, wait.key_ends) == (began, began + timedelta(hours=23))
    assert before == ({1: "reserved"}, 1)
    assert world.states() == {1: {"skip": "in_doubt:no_answer", "resend": "accepted"}[on_doubt]}


def test_a_key_that_was_used_for_other_emails_is_not_used_again_and_the_records_are_asked_about_its_whole_life(
    world: World,
) -> None:
    reserved(world)
    world.provider.answers.append(answer(Unknown("409 invalid_idempotent_request", answered=True)))
    world.provider.found = Unprovable("denied")
    began = world.now

    world.deliver()
    world.now += timedelta(hours=2)
    reconcile(world.session(owner="reconcile"), [world.plan])

    assert len(keys(world)) == 1
    assert {since for _, since, _ in world.provider.asked} == {began - timedelta(hours=24)}
    assert world.states() == {1: "in_doubt:no_answer"}


def test_a_risk_is_taken_once_in_a_keys_life_even_if_each_answer_is_odd(world: World) -> None:
    world.rewrite_loop("type: retention", "type: retention\non_doubt: resend")
    world.provider.found = Unprovable("401 restricted_api_key")
    reserved(world)

    def accept_oddly(provider: Script, messages: Sequence[Message], key: str) -> Answer:
        provider.accept(messages, key)
        return Unknown("it accepted, but named 2 ids for 1 email", answered=True)

    world.provider.answers += [accept_oddly] * 9
    for _ in range(3):
        world.deliver()
        world.now += timedelta(hours=1)
    at_first = len(keys(world))
    world.now += timedelta(hours=20)
    world.deliver()

    assert (at_first, len(set(keys(world)))) == (1, 2)


def test_what_waits_is_told_since_when_and_why(world: World) -> None:
    reserved(world, 300)
    silent(world, never_arrive, lose_the_answer, never_arrive)
    began = world.now

    lost = waits(world)
    world.now += timedelta(minutes=5)
    world.deliver()

    assert {(wait.batches, wait.emails, wait.since, wait.said) for wait in lost} == {
        (2, 200, began, "no route to host"),
        (1, 100, began, "the connection was cut"),
    }
    assert waits(world) == ()


def test_a_refusal_that_waits_is_no_reason_to_look_at_it_before_its_time(world: World) -> None:
    refused(world)
    world.now += 5 * MINUTE
    early = is_wanted(world.engine, "outbox", world.clock, [world.plan])
    world.now += 8 * MINUTE

    assert (early, is_wanted(world.engine, "outbox", world.clock, [world.plan])) == (False, True)


def test_a_paused_loop_is_no_reason_to_reconcile_until_its_records_can_be_asked(world: World) -> None:
    reserved(world)
    silent(world)
    transaction(world.engine, lambda c: controls.pause(c, world.plan.name, world.now))
    world.now += 5 * MINUTE
    paused = is_wanted(world.engine, "outbox", world.clock, [world.plan])
    transaction(world.engine, lambda c: controls.resume(c, world.plan.name, world.now))
    resumed = is_wanted(world.engine, "outbox", world.clock, [world.plan])
    transaction(world.engine, lambda c: controls.pause(c, world.plan.name, world.now))
    world.now += timedelta(hours=23)

    assert (paused, resumed) == (False, True)
    assert is_wanted(world.engine, "outbox", world.clock, [world.plan])


def test_what_was_put_off_when_its_run_ended_is_sent_by_reconcile(world: World) -> None:
    reserved(world)
    world.provider.answers += [answer(Throttled(1.0, "429: slow down"))] * 20
    delivered = world.deliver()
    world.now += 8 * MINUTE
    wanted = is_wanted(world.engine, "outbox", world.clock, [world.plan])

    reconcile(world.session(owner="reconcile"), [world.plan])

    assert (delivered.open, delivered.stopped_because, wanted) == (1, "", True)
    assert world.states() == {1: "accepted"}


def test_reconcile_goes_on_with_what_it_cuts_out_of_others(world: World) -> None:
    reserved(world, 10)
    silent(world)
    bad = "u7@example.com"

    def strict(provider: Script, messages: Sequence[Message], key: str) -> Answer:
        is_bad = any(message.to == bad for message in messages)
        return Refused("422: a bad address") if is_bad else provider.accept(messages, key)

    world.provider.answers += [strict] * 100
    world.provider.found = Absent()
    for _ in range(30):
        world.now += MINUTE
        reconcile(world.session(owner="reconcile"), [world.plan])

    assert world.provider.mailed == sorted(f"u{n}@example.com" for n in range(1, 11) if n != 7)
    assert world.states()[7] == "refused:provider"


def test_a_batch_whose_set_is_refused_holds_up_no_other_and_is_told(world: World) -> None:
    world.add(*range(1, 151))
    world.change(1, name="Twin")
    world.add(1000, name="Twin", dormant=False, reminded=True)
    with world.engine.begin() as connection:
        connection.execute(text("CREATE UNIQUE INDEX one_of_a_name ON users (reminded, name)"))
    world.refresh()
    world.reserve(LIVE)
    for _ in range(2):
        with pytest.raises(StoreError, match="refuses what `set` writes"):
            world.deliver(LIVE)

    assert set(world.states().values()) == {"accepted"}
    assert world.reminded() == {*range(101, 151), 1000}
    found = transaction(world.engine, lambda c: health(c, [LookedAt(world.plan, world.step)], "live", world.now)[0])
    assert [(wait.emails, "`set`" in wait.said) for wait in found.waits] == [(100, True)]
    world.change(1000, name="Another")
    world.deliver(LIVE)
    assert len(world.reminded()) == 151


def test_a_template_that_is_gone_fails_the_run_and_what_is_frozen_goes_all_the_same(world: World) -> None:
    reserved(world)
    silent(world)
    world.now += MINUTE
    reserved(world, 100)
    (world.root / "templates" / "hello.mjml").rename(world.root / "elsewhere")

    with pytest.raises(TemplateError):
        world.deliver()

    assert world.states()[1] == "accepted"
    (world.root / "elsewhere").rename(world.root / "templates" / "hello.mjml")
    world.deliver()
    assert set(world.states().values()) == {"accepted"}


def test_one_reconciliation_ends_after_a_while_whatever_there_is_to_do(world: World) -> None:
    reserved(world, 1000)
    for _ in range(4):
        silent(world, *[never_arrive] * 3)
        world.now += MINUTE
    world.now += 10 * MINUTE
    began, tried = world.now, len(keys(world))

    def slow(provider: Script, messages: Sequence[Message], key: str) -> Answer:
        world.now += 3 * MINUTE
        return provider.accept(messages, key)

    world.provider.answers += [slow] * 20

    reconcile(world.session(owner="reconcile"), [world.plan])

    assert world.now - began == 12 * MINUTE
    assert len(keys(world)) - tried == 4


def test_a_provider_that_throttles_for_ever_parks_the_run(world: World) -> None:
    reserved(world, 300)
    world.provider.answers += [answer(Throttled(7.0, "429"))] * 100

    delivered = world.deliver()

    assert (delivered.stopped_because, delivered.open) == ("429", 3)
    assert sum(world.paused) <= 60


def test_what_was_cut_before_a_backup_is_not_sent_by_reconcile_either(world: World) -> None:
    world.add(1, 2)
    world.refresh()
    world.reserve(LIVE)
    world.provider.answers += [answer(Refused("422", 0)), answer(Throttled(3600.0, "quota"))]
    world.deliver(LIVE)
    ledger_id = transaction(world.engine, environment.ledger_id)
    world.provider.records.append(Sent("id", world.now, "f" * 32, origin(ledger_id, "unknown")))
    world.now += 5 * MINUTE

    with pytest.raises(LedgerOutdated):
        reconcile(world.session(LIVE, owner="reconcile"), [world.plan])

    assert len(keys(world)) == 2


def test_a_batch_that_was_given_back_meanwhile_is_waited_for_only_a_moment(world: World) -> None:
    world.add(1)
    world.refresh()
    world.reserve()
    session = world.session()

    session.wait_for(session.do(lambda c: ledger.due(c, StepScope("outbox", "retention", "main"), world.now)))

    assert world.paused == [0.1]
