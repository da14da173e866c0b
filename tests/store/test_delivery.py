"""Nobody is mailed twice, nobody is forgotten, and everyone who gets no email has a row that says why."""

import random
import string
import threading
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from delivery_world import LIVE, START, Script, Scripted, World, lose_the_answer, make_world, never_arrive, users
from neighbours import own
from sqlalchemy import Engine, delete, func, select, update

from skene_dagster.delivery import controls, ledger
from skene_dagster.delivery.email.message import Message
from skene_dagster.delivery.email.templates import Templates
from skene_dagster.delivery.ledger import StepScope
from skene_dagster.delivery.modes import Mode
from skene_dagster.delivery.providers.base import Answer, Fatal, Found, Refused, Throttled
from skene_dagster.delivery.send import freeze
from skene_dagster.delivery.send.deliver import deliver
from skene_dagster.errors import NoClearance, ProviderFatal, ProviderUnavailable, SegmentImplausible
from skene_dagster.store.engine import transaction
from skene_dagster.store.tables import batches, sends


class Died(BaseException):
    """The process is gone; nothing of ours catches it."""


def die_before(_provider: Script, _messages: Sequence[Message], _key: str) -> Answer:
    raise Died


def die_after(provider: Script, messages: Sequence[Message], key: str) -> Answer:
    provider.accept(messages, key)
    raise Died


def refuse(address: str, *, named: bool) -> Scripted:
    def answer(provider: Script, messages: Sequence[Message], key: str) -> Answer:
        bad = [n for n, message in enumerate(messages) if message.to == address]
        if not bad:
            return provider.accept(messages, key)
        return Refused("Invalid `to` field", bad[0] if named else None)

    return answer


@pytest.fixture
def world(engine: Engine, tmp_path: Path) -> World:
    return make_world(engine, tmp_path)


def test_each_member_is_mailed_once_however_often_the_tick_runs(world: World) -> None:
    world.add(*range(1, 251))

    for _ in range(3):
        world.tick()

    assert world.provider.mailed == sorted(f"u{n}@example.com" for n in range(1, 251))
    assert sorted(len(messages) for messages in world.provider.accepted.values()) == [50, 100, 100]
    assert set(world.states().values()) == {"accepted"}


def test_a_delivery_tells_what_it_sent_of_earlier_ticks(world: World) -> None:
    world.add(*range(1, 131))
    world.refresh()
    world.reserve()
    world.days_pass(1)

    later = world.tick()

    assert later.accepted == 130
    assert world.tick().accepted == 0


def test_the_providers_ids_are_kept_with_the_right_sends(world: World) -> None:
    world.add(1, 2, 3)

    world.tick()

    with world.engine.connect() as connection:
        rows = connection.execute(select(sends.c.send_id, sends.c.provider_id).where(own(sends))).all()
    assert len(rows) == 3
    assert all(provider_id == f"id-{send_id}" for send_id, provider_id in rows)


def test_who_stays_is_not_mailed_again_and_who_returns_after_repeat_is(world: World) -> None:
    world.add(1, 2)
    world.tick()
    world.days_pass(40)
    world.change(1, dormant=False)
    world.tick()
    world.days_pass(1)
    world.change(1, dormant=True)

    world.tick()

    assert world.provider.mailed == ["u1@example.com", "u1@example.com", "u2@example.com"]


def test_who_returns_too_soon_waits_in_one_row_until_repeat_has_passed(world: World) -> None:
    world.add(1, 2, 3)
    world.tick()
    world.days_pass(10)
    world.change(1, dormant=False)
    world.tick()
    world.days_pass(1)
    world.change(1, dormant=True)
    world.tick()
    assert world.states()[1] == "deferred:repeat"
    world.days_pass(18)
    world.tick()
    assert world.states()[1] == "deferred:repeat"
    world.days_pass(1)  # 30 days since the mail

    world.tick()

    assert world.states()[1] == "accepted"
    assert world.provider.mailed.count("u1@example.com") == 2
    with world.engine.connect() as connection:
        query = select(func.count()).where(own(sends), sends.c.user_id == 1)
        assert connection.execute(query).scalar() == 2


def test_who_may_have_been_mailed_waits_for_repeat_as_if_he_was(world: World) -> None:
    world.add(1, 2, 3)
    world.provider.answers = [lose_the_answer]
    with pytest.raises(ProviderUnavailable):
        world.tick()
    world.days_pass(1)
    world.change(1, dormant=False)
    world.tick()
    world.change(1, dormant=True)
    world.days_pass(1)

    world.tick()

    assert world.states() == {1: "deferred:repeat", 2: "in_doubt:no_answer", 3: "in_doubt:no_answer"}


def test_a_segment_that_was_empty_for_one_tick_mails_nobody_again(world: World) -> None:
    world.settings = replace(world.settings, limits=world.settings.limits.model_copy(update={"least_change": 500}))
    world.add(1, 2, 3)
    world.tick()
    world.days_pass(1)
    world.change(1, 2, 3, dormant=False)
    world.tick()
    world.days_pass(1)
    world.change(1, 2, 3, dormant=True)

    world.tick()

    assert len(world.provider.mailed) == 3


@pytest.mark.parametrize("death", [die_before, die_after], ids=["before the provider accepted", "after it"])
def test_a_run_that_dies_around_the_post_is_finished_by_the_next_one(world: World, death: Scripted) -> None:
    world.add(*range(1, 151))
    world.provider.answers = [death]
    with pytest.raises(Died):
        world.tick()
    world.now += timedelta(minutes=2)

    world.deliver(owner="two")

    assert world.provider.mailed == sorted(f"u{n}@example.com" for n in range(1, 151))
    assert set(world.states().values()) == {"accepted"}


def test_a_lost_answer_is_asked_for_again_under_the_same_key_with_the_same_bytes(world: World) -> None:
    world.add(1, 2)
    world.provider.answers = [lose_the_answer]
    with pytest.raises(ProviderUnavailable, match="1 batches got no answer"):
        world.tick()
    template = world.root / "templates" / "hello.mjml"
    template.write_text(template.read_text(encoding="utf-8").replace("Hello", "Goodbye"), encoding="utf-8")
    world.change(1, name="Somebody else", dormant=False)
    world.now += timedelta(minutes=1)

    world.deliver()

    (first, second) = world.provider.tried
    assert first == second
    assert world.provider.mailed == ["u1@example.com", "u2@example.com"]
    assert set(world.states().values()) == {"accepted"}


def test_after_a_lost_answer_a_refusal_proves_nothing_and_no_new_key_is_made(world: World) -> None:
    world.add(1, 2)
    world.provider.answers = [lose_the_answer, refuse("u1@example.com", named=True)]
    with pytest.raises(ProviderUnavailable):
        world.tick()
    world.now += timedelta(minutes=1)
    world.tick()
    world.now += timedelta(minutes=30)
    world.provider.found = Found(tuple(f"id-{message.send_id}" for message in world.provider.tried[0][1]))

    world.deliver()

    assert len({key for key, _ in world.provider.tried}) == 1
    assert world.provider.mailed == ["u1@example.com", "u2@example.com"]


def test_what_had_no_answer_for_23_hours_is_in_doubt_and_not_sent_again(world: World) -> None:
    world.add(1)
    world.provider.answers = [lose_the_answer]
    with pytest.raises(ProviderUnavailable):
        world.tick()
    world.now += timedelta(hours=23)

    world.deliver()

    assert len(world.provider.tried) == 1
    assert world.states() == {1: "in_doubt:no_answer"}


def test_three_batches_in_a_row_without_an_answer_stop_the_run(world: World) -> None:
    world.add(*range(1, 1001))
    world.provider.answers = [never_arrive] * 10

    with pytest.raises(ProviderUnavailable):
        world.tick()

    assert len(world.provider.tried) == 3


@pytest.mark.parametrize("named", [True, False], ids=["the answer names it", "the answer names none"])
def test_one_refused_message_holds_up_no_other(world: World, named: bool) -> None:
    world.add(*range(1, 11))
    answer = refuse("u7@example.com", named=named)
    world.provider.answers = [answer] * 9

    world.tick()
    world.provider.answers = []
    world.days_pass(1)
    world.tick()

    assert world.provider.mailed == sorted(f"u{n}@example.com" for n in range(1, 11) if n != 7)
    assert {n for n, state in world.states().items() if state == "refused:provider"} == {7}


def test_a_short_throttle_is_waited_for(world: World) -> None:
    world.add(1)
    world.provider.answers = [lambda *_: Throttled(2.0, "rate limit")]

    world.tick()

    assert world.paused == [2.0]
    assert world.provider.mailed == ["u1@example.com"]


def test_an_exhausted_quota_parks_the_batches_for_a_later_tick(world: World) -> None:
    world.add(*range(1, 201))
    world.provider.answers = [lambda *_: Throttled(40_000.0, "daily quota exceeded")]

    stopped = world.tick()
    world.days_pass(1)
    after = world.tick()

    assert (stopped.stopped_because, stopped.open) == ("daily quota exceeded", 2)
    assert (after.stopped_because, after.open) == ("", 0)
    assert len(world.provider.mailed) == 200


def test_what_waited_longer_than_expires_after_is_skipped_as_too_late(world: World) -> None:
    world.add(*range(1, 201))
    world.provider.answers = [lambda *_: Throttled(40_000.0, "daily quota exceeded")]
    world.tick()  # one batch is frozen and was refused for now, the other only reserved
    world.days_pass(4)

    world.tick()

    assert world.provider.mailed == []
    assert set(world.states().values()) == {"skipped:too_late"}


def test_what_may_have_been_sent_is_never_too_late(world: World) -> None:
    world.settings = replace(
        world.settings, limits=world.settings.limits.model_copy(update={"expires_after": timedelta(hours=1)})
    )
    world.add(1)
    world.provider.answers = [lose_the_answer]
    with pytest.raises(ProviderUnavailable):
        world.tick()
    world.now += timedelta(hours=2)

    world.deliver()

    assert world.states() == {1: "accepted"}


def test_a_fatal_answer_stops_the_run_and_loses_nothing(world: World) -> None:
    world.add(1, 2)
    world.provider.answers = [lambda *_: Fatal("API key is invalid")]
    with pytest.raises(ProviderFatal, match="API key is invalid"):
        world.tick()

    world.deliver()

    assert world.provider.mailed == ["u1@example.com", "u2@example.com"]


def test_who_gets_no_email_when_it_is_rendered_has_a_row_that_says_why(world: World) -> None:
    world.add(1, 2, 3, 4, 5, 6)
    world.refresh()
    world.reserve()
    world.change(2, verified=False)
    world.change(3, name=None)
    world.change(4, email="nobody@")
    world.days_pass(0.1)
    world.change(5, dormant=False)
    world.refresh()
    with world.engine.begin() as connection:
        connection.execute(delete(users).where(users.c.id == 6))

    world.deliver()

    assert world.provider.mailed == ["u1@example.com"]
    assert world.states() == {
        1: "accepted",
        2: "skipped:not_mailable",
        3: "deferred:missing_value",
        4: "deferred:invalid_address",
        5: "skipped:left_segment",
        6: "skipped:gone",
    }


def test_a_batch_that_is_too_large_for_a_row_is_cut_until_each_part_fits(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(freeze, "LARGEST_PAYLOAD", 2000)
    world.add_large(*range(1, 9))
    world.refresh()
    world.reserve()
    told: list[int] = []
    templates = Templates(world.settings.templates, world.root)
    deliver(world.session(), plan=world.plan, step=world.step, templates=templates, progress=told.append)

    assert sum(told) == 8
    with world.engine.connect() as connection:
        parents = connection.execute(select(batches.c.size).where(own(batches), batches.c.state == "split")).all()
    assert sorted(parents) == [(4,), (4,), (8,)]
    assert [len(messages) for messages in world.provider.accepted.values()] == [2, 2, 2, 2]
    assert world.provider.mailed == [f"u{n}@example.com" for n in range(1, 9)]


def test_one_email_that_is_too_large_for_a_row_holds_up_no_other(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(freeze, "LARGEST_PAYLOAD", 1600)
    world.add(1, 2, 3)
    world.change(2, name="".join(random.Random(0).choices(string.ascii_letters, k=100)))

    world.tick()

    assert world.states() == {1: "accepted", 2: "deferred:too_large", 3: "accepted"}


def test_who_is_left_out_of_a_batch_is_not_counted_with_it(world: World) -> None:
    world.add(1, 2, 3)
    world.refresh()
    world.reserve()
    world.change(2, 3, verified=False)
    world.provider.answers = [never_arrive]
    with pytest.raises(ProviderUnavailable):
        world.deliver()
    world.now += timedelta(hours=23)
    world.deliver()

    scope = StepScope("outbox", "retention", "main")
    assert transaction(world.engine, lambda c: ledger.emails_in_doubt(c, scope)) == 1


def test_who_may_not_be_mailed_yet_is_mailed_once_he_may(world: World) -> None:
    world.add(1, verified=False)
    world.add(2, email=None)
    world.tick()
    assert world.states() == {1: "deferred:not_mailable", 2: "deferred:no_address"}
    world.change(1, verified=True)
    world.days_pass(1)

    world.tick()

    assert world.provider.mailed == ["u1@example.com"]


def test_new_only_mails_only_those_who_enter_after_the_first_refresh(world: World) -> None:
    world.rewrite_loop("type: retention\n", "type: retention\nstart: new_only\n")
    world.add(1, 2)
    world.refresh()
    at_start = world.reserve().counts
    world.add(3)
    world.days_pass(1)

    world.tick()

    assert (at_start, world.states()) == ({"skipped:there_at_start": 2}, {3: "accepted"})


def test_set_is_written_for_those_whose_email_was_accepted_and_only_when_it_was_real(world: World) -> None:
    world.add(1, 2, 3)
    world.tick()
    assert world.reminded() == set()
    provider = world.provider
    provider.answers = [refuse("u2@example.com", named=True)]
    world.days_pass(1)

    world.tick(LIVE)

    assert world.reminded() == {1, 3}
    assert "accepted" not in world.batch_states()


def test_a_rehearsal_uses_up_nobodys_real_mail(world: World) -> None:
    world.add(1)
    world.tick()
    world.days_pass(1)

    world.tick(LIVE)

    assert world.provider.mailed == ["u1@example.com"] * 2


def test_a_redirected_email_goes_to_the_one_address_and_to_nobody_else(world: World) -> None:
    world.settings = replace(world.settings, redirect_to="me@example.com")
    world.add(1, 2)

    world.tick(Mode("redirect", "a test"))

    assert world.provider.mailed == ["me@example.com"] * 2
    assert world.reminded() == set()


def test_members_who_leave_because_of_our_own_set_are_no_collapse(world: World) -> None:
    world.rewrite_loop("dormant = true", "dormant = true AND reminded = false")
    world.add(*range(1, 11))
    world.tick(LIVE)
    world.days_pass(1)

    world.tick(LIVE)

    assert len(world.provider.mailed) == 10


def test_members_who_vanish_for_another_reason_are_one(world: World) -> None:
    world.add(*range(1, 11))
    world.tick()
    world.days_pass(1)
    world.change(*range(1, 9), dormant=False)

    with pytest.raises(SegmentImplausible):
        world.tick()


def test_nothing_is_reserved_without_a_refresh_for_this_very_tick(world: World) -> None:
    world.add(1)
    world.refresh()

    with pytest.raises(NoClearance, match=r"was not refreshed for 2026-03-03"):
        world.reserve(as_of=START + timedelta(days=1))

    assert world.states() == {}


@pytest.mark.parametrize(
    ("days", "said"),
    [pytest.param(-4, "which is not now", id="long past"), pytest.param(1, "still to come", id="in the future")],
)
def test_a_tick_that_is_not_now_never_sends_real_mail(world: World, days: int, said: str) -> None:
    world.add(1)
    world.refresh()
    as_of, world.now = world.now, world.now - timedelta(days=days)

    with pytest.raises(NoClearance, match=said):
        world.reserve(LIVE, as_of=as_of)

    assert world.states() == {}


def test_a_step_that_looks_renamed_mails_nobody_again(world: World) -> None:
    world.add(1, 2)
    world.tick()
    world.rewrite_loop("  - trigger", "  - name: nudge\n    trigger")
    world.days_pass(1)
    world.refresh()

    with pytest.raises(NoClearance, match=r"Step 'nudge' of 'retention' is new and 'main' is gone.* 2 people") as found:
        world.reserve()
    assert found.value.advice == (
        "If it was, add `renamed_from: main` to the step; otherwise give the loop a new name."
    )


def test_a_step_that_says_so_goes_on_under_its_first_name(world: World) -> None:
    world.add(1, 2)
    world.tick()
    world.rewrite_loop("  - trigger", "  - name: nudge\n    renamed_from: main\n    trigger")
    world.add(3)
    world.days_pass(1)
    transaction(world.engine, lambda connection: controls.pause(connection, "retention", world.now))
    world.refresh()
    held = world.reserve().counts
    transaction(world.engine, lambda connection: controls.resume(connection, "retention", world.now))

    world.tick()

    assert held == {"deferred:paused": 1}
    assert world.provider.mailed == [f"u{n}@example.com" for n in (1, 2, 3)]
    with world.engine.connect() as connection:
        assert set(connection.execute(select(sends.c.step).where(own(sends))).scalars()) == {"main"}


def test_the_batch_of_a_dead_run_is_taken_when_its_lease_is_over(world: World) -> None:
    world.add(1)
    world.refresh()
    world.reserve()
    with world.engine.begin() as connection:
        lease = {"owner": "dead", "lease_until": world.now + timedelta(seconds=30)}
        connection.execute(update(batches).where(own(batches)).values(lease))

    world.deliver()

    assert sum(world.paused) >= 30
    assert world.provider.mailed == ["u1@example.com"]


def test_two_runs_at_once_mail_everybody_once(world: World) -> None:
    world.add(*range(1, 501))
    world.refresh()
    failures: list[BaseException] = []

    def run(owner: str) -> None:
        try:
            world.reserve()
            world.deliver(owner=owner)
        except BaseException as error:  # noqa: BLE001 - shown by the test
            failures.append(error)

    threads = [threading.Thread(target=run, args=(owner,)) for owner in ("one", "two", "three")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failures == []
    assert world.provider.mailed == sorted(f"u{n}@example.com" for n in range(1, 501))
    assert set(world.states().values()) == {"accepted"}
