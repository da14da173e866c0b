"""What comes back fills in receipts, and suppresses dead addresses and those of people who complained: no others."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from delivery_world import LIVE, OUTBOX, World, lose_the_answer, make_world, never_arrive
from feedback_world import (
    BLOCKED,
    HARD,
    SOFT,
    about,
    every_receipt,
    hash_of,
    mailed,
    mailed_again,
    outcomes,
    read,
    receipt,
    suppressed,
    told,
)
from sqlalchemy import Engine, delete, select, update

from skene_dagster.consent.suppressions import Suppression, lift, suppress
from skene_dagster.delivery.modes import Mode
from skene_dagster.delivery.providers.feedback import Kind, Report
from skene_dagster.feedback import inbox
from skene_dagster.feedback.reading import drain
from skene_dagster.store.engine import reading, transaction
from skene_dagster.store.tables import receipts, suppressions, webhooks

REDIRECT = Mode("redirect", "a test")
MINUTE = timedelta(minutes=1)
MOMENTS: dict[Kind, set[str]] = {
    "queued": set(),
    "sent": set(),
    "delivered": {"delivered_at"},
    "delayed": {"delayed_at"},
    "failed": {"failed_at"},
    "rejected": {"rejected_at"},
    "complained": {"complained_at"},
    "opened": {"opened_at", "last_opened_at"},
    "clicked": {"clicked_at", "last_clicked_at"},
    "unsubscribed": {"unsubscribed_at"},
}


@pytest.fixture
def world(engine: Engine, tmp_path: Path) -> World:
    made = make_world(engine, tmp_path)
    # Segments of a handful of users, whom all may leave.
    made.settings = replace(made.settings, limits=made.settings.limits.model_copy(update={"least_change": 10}))
    return made


@pytest.mark.parametrize("kind", MOMENTS)
def test_what_happened_stands_in_the_receipt_with_its_moment(world: World, kind: Kind) -> None:
    mailed(world, 1, 2)
    at = world.now - MINUTE

    drained = read(world, about(world, 1, kind, at=at))

    assert receipt(world, 1) == dict.fromkeys(MOMENTS[kind], at)
    assert receipt(world, 2) == {}
    assert (drained.events, drained.waiting) == (1, 0)
    assert set(outcomes(world).values()) == {"applied"}


def test_a_bounce_stands_there_in_the_providers_words_and_judged(world: World) -> None:
    mailed(world, 1)

    read(world, about(world, 1, "bounced", **BLOCKED))

    assert receipt(world, 1) == {
        "bounced_at": world.now,
        "bounce": "blocked",
        "bounce_type": "Permanent",
        "bounce_sub_type": "General",
        "status_codes": "5.7.1",
    }


def test_it_is_found_by_the_emails_id_too(world: World) -> None:
    mailed(world, 1)

    read(world, about(world, 1, "delivered", send_id=None, origin=None))

    assert set(receipt(world, 1)) == {"delivered_at"}


@pytest.mark.parametrize(
    ("kind", "more", "reason"),
    [
        pytest.param("bounced", HARD, "bounce", id="a hard bounce"),
        pytest.param("bounced", BLOCKED, None, id="a bounce about us"),
        pytest.param("bounced", SOFT, None, id="a soft bounce"),
        pytest.param("complained", {}, "complaint", id="a complaint"),
        pytest.param("rejected", {}, "provider", id="the provider's own list"),
        pytest.param("failed", {}, None, id="a failure"),
        pytest.param("delayed", {}, None, id="a delay"),
        pytest.param("opened", {}, None, id="an opening"),
    ],
)
def test_it_suppresses_who_should_get_nothing_more(
    world: World, kind: Kind, more: Mapping[str, Any], reason: str | None
) -> None:
    mailed(world, 1, 2)

    read(world, about(world, 1, kind, **more))

    assert suppressed(world) == ({} if reason is None else {"u1@example.com": (reason, "resend", None)})


@pytest.mark.parametrize("kind", ["bounced", "complained", "rejected"])
def test_a_rehearsal_suppresses_nobody(world: World, kind: Kind) -> None:
    mailed(world, 1, mode=REDIRECT)

    read(world, about(world, 1, kind, address="tester@example.com", **(HARD if kind == "bounced" else {})))

    assert suppressed(world) == {}
    assert receipt(world, 1) != {}


def test_a_rehearsal_before_the_upgrade_suppresses_nobody_either(world: World) -> None:
    mailed(world, 1, mode=REDIRECT)
    with world.engine.begin() as connection:
        connection.execute(delete(receipts).where(receipts.c.mode == "redirect", receipts.c.loop == "retention"))

    read(world, about(world, 1, "complained", address="tester@example.com"))

    assert suppressed(world) == {}


@pytest.mark.parametrize(
    ("kind", "more", "reason"),
    [("bounced", HARD, "bounce"), ("complained", {}, "complaint"), ("bounced", SOFT, None), ("opened", {}, None)],
)
def test_an_email_of_before_the_upgrade_is_unknown_and_its_address_suppressed_all_the_same(
    world: World, kind: Kind, more: Mapping[str, Any], reason: str | None
) -> None:
    report = Report("msg", f"email.{kind}", kind, world.now, provider_id="old", address="Old@example.com", **more)

    read(world, report)

    assert suppressed(world) == ({} if reason is None else {"Old@example.com": (reason, "resend", None)})
    assert outcomes(world) == {"msg": "unknown"}


def test_another_ledgers_email_is_none_of_ours(world: World) -> None:
    mailed(world, 1)
    origin = f"{'f' * 32}-{'b' * 32}"

    read(world, about(world, 1, "complained", send_id="9" * 32, provider_id="theirs", origin=origin))

    assert suppressed(world) == {}
    assert set(outcomes(world).values()) == {"foreign"}


@pytest.mark.parametrize(
    ("detail", "reason"), [("bounce", "bounce"), ("complaint", "complaint"), ("manual", "provider")]
)
def test_an_address_on_the_providers_list_gets_nothing(world: World, detail: str, reason: str) -> None:
    read(world, Report("msg", "suppression.added", "listed", world.now, address="a@example.com", detail=detail))

    assert suppressed(world) == {"a@example.com": (reason, "resend", None)}
    assert outcomes(world) == {"msg": "noted"}


def test_an_address_that_is_not_told_is_suppressed_by_its_hash(world: World) -> None:
    mailed(world, 1)

    read(world, about(world, 1, "complained", address=None))

    assert set(suppressed(world)) == {hash_of(world, 1)}


@pytest.mark.parametrize("minutes", [0, -1])
def test_what_happened_before_a_lift_does_not_suppress_again(world: World, minutes: float) -> None:
    mailed(world, 1)
    report = about(world, 1, "complained", at=world.now + minutes * MINUTE)
    entry = Suppression(hash_of(world, 1), "all", world.now - MINUTE, "bounce", "a file")
    transaction(world.engine, lambda c: suppress(c, [entry], world.now - MINUTE))
    transaction(world.engine, lambda c: lift(c, [entry.recipient], "it is fine", world.now, ["all"]))

    read(world, report)
    assert suppressed(world) == {}
    world.now += MINUTE
    read(world, about(world, 1, "complained", event_id="later"))
    assert set(suppressed(world)) == {"u1@example.com"}


def test_all_orders_and_pages_and_repetitions_give_the_same_receipts_and_list(world: World) -> None:
    mailed(world, 1, 2)
    reports = [
        about(world, 1, "delivered", at=world.now - 3 * MINUTE),
        about(world, 1, "opened", at=world.now - 2 * MINUTE),
        about(world, 1, "complained", at=world.now - MINUTE),
        about(world, 2, "bounced", at=world.now - MINUTE, **HARD),
    ]
    found = []
    for number, order in enumerate(permutations(reports)):
        with world.engine.begin() as connection:
            connection.execute(delete(webhooks))
            connection.execute(delete(suppressions))
            connection.execute(
                update(receipts)
                .where(receipts.c.loop == "retention", receipts.c.mode == "live", receipts.c.step == "main")
                .values(
                    {
                        column.name: None
                        for column in receipts.columns
                        if column.nullable and column.name.endswith("_at")
                    }
                )
            )
        if number % 2:
            for one in order:
                read(world, one)
        else:
            read(world, *order, *reversed(order), page=1 + number % 3)
        read(world, *order)
        found.append((every_receipt(world.engine), suppressed(world)))

    assert all(one == found[0] for one in found)
    assert found[0][1] == {
        "u1@example.com": ("complaint", "resend", None),
        "u2@example.com": ("bounce", "resend", None),
    }


def test_what_comes_before_our_own_settle_waits_for_it(world: World) -> None:
    world.add(1)
    world.tick_without_answer(lose_the_answer)

    drained = read(world, about(world, 1, "delivered"), about(world, 1, "complained"))
    assert (drained.events, drained.waiting) == (0, 2)
    assert set(suppressed(world)) == {"u1@example.com"}
    world.days_pass(0.1)
    world.deliver(LIVE)
    drained = read(world)

    assert (drained.events, drained.waiting) == (2, 0)
    assert set(receipt(world, 1)) == {"delivered_at", "complained_at"}


def test_what_waits_is_looked_at_less_and_less_often_and_not_for_ever(world: World) -> None:
    world.add(1)
    world.tick_without_answer(never_arrive)
    read(world, about(world, 1, "delivered"))
    started, looks = world.now, []

    while (drained := read(world)).events == 0:
        looks += [world.now - started] * drained.waiting
        world.now += timedelta(minutes=1) if world.now - started < timedelta(minutes=10) else timedelta(hours=1)

    assert looks[0] == timedelta(minutes=1)
    assert len(looks) < 40
    assert timedelta(days=7) < world.now - started < timedelta(days=7, hours=7)
    assert set(outcomes(world).values()) == {"unknown"}


def test_an_address_is_forgotten_once_it_was_looked_at(world: World) -> None:
    mailed(world, 1)
    world.days_pass(1)
    world.add(2)
    world.tick_without_answer(never_arrive)
    told(world, about(world, 1, "complained"), about(world, 2, "complained"))
    query = select(webhooks.c.address)
    assert set(reading(world.engine, lambda c: c.execute(query).scalars().all())) == {
        "u1@example.com",
        "u2@example.com",
    }

    read(world)

    assert set(reading(world.engine, lambda c: c.execute(query).scalars().all())) == {None}


@pytest.mark.parametrize("gap", [3.4, 3.5])
def test_three_soft_bounces_over_a_week_suppress_for_a_month(world: World, gap: float) -> None:
    mailed(world, 1)
    read(world, about(world, 1, "bounced", **SOFT))
    for _ in range(2):
        mailed_again(world, gap)
        assert suppressed(world) == {}
        read(world, about(world, 1, "bounced", **SOFT))

    month = {"u1@example.com": ("bounce", "three soft bounces", timedelta(days=30))}
    assert suppressed(world) == (month if gap == 3.5 else {})


def test_the_three_may_be_told_in_any_order(world: World) -> None:
    mailed(world, 1)
    reports = [about(world, 1, "bounced", **SOFT)]
    for _ in range(2):
        mailed_again(world, 5)
        reports.append(about(world, 1, "bounced", **SOFT))

    for report in (reports[2], reports[0], reports[1]):
        assert suppressed(world) == {}
        read(world, report)

    assert set(suppressed(world)) == {"u1@example.com"}


def test_after_it_has_ended_it_begins_anew_and_lasts_twice_as_long(world: World) -> None:
    mailed(world, 1)
    read(world, about(world, 1, "bounced", **SOFT))
    for _ in range(2):
        mailed_again(world, 5)
        read(world, about(world, 1, "bounced", **SOFT))
    world.days_pass(30)
    assert suppressed(world) == {}

    for _ in range(3):
        assert suppressed(world) == {}
        mailed_again(world, 5)
        read(world, about(world, 1, "bounced", **SOFT))

    assert suppressed(world) == {"u1@example.com": ("bounce", "three soft bounces", timedelta(days=60))}


def test_soft_bounces_of_rehearsals_do_not_count(world: World) -> None:
    mailed(world, 1, mode=OUTBOX)
    read(world, about(world, 1, "bounced", **SOFT))
    mailed_again(world, 5)
    read(world, about(world, 1, "bounced", **SOFT))
    mailed_again(world, 5)

    read(world, about(world, 1, "bounced", **SOFT))

    assert suppressed(world) == {}


def test_what_a_wrong_clock_wrote_is_read_all_the_same(world: World) -> None:
    mailed(world, 1)
    report = about(world, 1, "delivered")
    transaction(world.engine, lambda c: inbox.put(c, "resend", [report], world.now + timedelta(days=900)))

    drain(world.engine, world.clock, seconds=60)

    assert set(receipt(world, 1)) == {"delivered_at"}


def test_nothing_happened_after_it_was_told(world: World) -> None:
    mailed(world, 1)

    read(world, about(world, 1, "delivered", at=world.now + timedelta(days=1)))

    assert receipt(world, 1) == {"delivered_at": world.now}


def test_types_that_are_not_known_are_kept_and_shown(world: World) -> None:
    read(world, Report("msg", "email.read", "unknown", world.now), Report("other", "email.read", "unknown", world.now))

    heard = reading(world.engine, inbox.heard)

    assert (heard.last_at, heard.waiting, heard.unknown) == (world.now, 0, {"email.read": 2})
    assert set(outcomes(world).values()) == {"noted"}


def test_events_are_kept_for_a_month_and_those_that_are_not_read_for_longer(world: World) -> None:
    mailed(world, 1)
    read(world, about(world, 1, "delivered"))
    told(world, about(world, 1, "opened"))
    world.days_pass(30)
    before = world.now - inbox.KEPT

    def forget(seconds: int) -> int:
        until = before + timedelta(seconds=seconds)
        return transaction(world.engine, lambda c: inbox.forget(c, before=until, since=None, size=100)).rows

    assert (forget(0), forget(1)) == (0, 1)
    assert set(outcomes(world)) == {about(world, 1, "opened").event_id}
