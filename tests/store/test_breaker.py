"""The breaker pauses what too much comes back of; and a large wave of a new loop leaves in slices, so that it can."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from delivery_world import LIVE, LOOP, OUTBOX, World, make_world, planned
from neighbours import own
from sqlalchemy import Connection, Engine, func, select

from skene_dagster.consent import preferences, suppressions
from skene_dagster.consent.preferences import Said
from skene_dagster.delivery import controls
from skene_dagster.delivery.decide.slices import APART, FIRST
from skene_dagster.delivery.providers.feedback import Kind, Report
from skene_dagster.delivery.reconcile import is_wanted, reconcile
from skene_dagster.feedback import breaker, inbox
from skene_dagster.feedback.breaker import judgements
from skene_dagster.feedback.reading import drain
from skene_dagster.settings import QuietHours
from skene_dagster.store.engine import reading, transaction
from skene_dagster.store.tables import batches, receipts

A_MINUTE = timedelta(minutes=1)
DOMAIN = "outlook.example"


@pytest.fixture
def world(engine: Engine, tmp_path: Path) -> World:
    """A loop whose waves leave at once, and are not approved by anybody."""
    world = make_world(engine, tmp_path)
    limit(world, slices="off", first_wave=10**9)
    for name, text in (("receipt.mjml", RECEIPT), ("receipt.txt", "Thank you, {{ name }}.")):
        (tmp_path / "templates" / name).write_text(text, encoding="utf-8")
    return world


def limit(world: World, **limits: object) -> None:
    world.settings = replace(world.settings, limits=world.settings.limits.model_copy(update=limits))


RECEIPT = """\
<mjml>
  <mj-head><mj-title>Your receipt</mj-title></mj-head>
  <mj-body><mj-section><mj-column><mj-text>Thank you, {{ name }}.</mj-text></mj-column></mj-section></mj-body>
</mjml>
"""


def mailed(world: World, number: int, loop: str = "retention", *, transactional: bool = False) -> list[str]:
    """Mail so many users; return the send ids."""
    text = LOOP.replace("      template: hello\n", "      template: receipt\n      transactional: true\n")
    world.plan = planned(world.root, world.settings, f"name: {loop}\n{text if transactional else LOOP}")
    known = len(sent(world))
    world.add(*range(known + 1, known + number + 1))
    world.tick(LIVE)
    assert len(sent(world, loop)) >= number
    return sent(world, loop)[:number]


def sent(world: World, loop: str | None = None) -> list[str]:
    query = select(receipts.c.send_id).where(own(receipts)).order_by(receipts.c.user_id)
    with world.engine.connect() as connection:
        return list(connection.execute(query if loop is None else query.where(receipts.c.loop == loop)).scalars())


def tell(world: World, reports: Sequence[Report]) -> None:
    """Let a provider tell something, and have it read."""
    transaction(world.engine, lambda connection: inbox.put(connection, "resend", reports, world.now))
    drained = drain(world.engine, world.clock, seconds=60.0)
    assert drained.events == len(reports)


def comes_back(world: World, send_ids: Sequence[str], kind: Kind) -> list[str]:
    """Let something be told of emails, and the breaker look; return what it paused, in words."""
    tell(world, [report(send_id, kind, world.now) for send_id in send_ids])
    return looked(world)


def report(send_id: str, kind: Kind, at: datetime, code: str = "5.1.1", domain: str = DOMAIN) -> Report:
    return Report(
        event_id=f"{kind}_{send_id}",
        type=f"email.{kind}",
        kind=kind,
        at=at,
        send_id=send_id,
        bounce_type="Permanent",
        bounce_sub_type="General",
        status_codes=code,
        domain=domain,
    )


def looked(world: World) -> list[str]:
    return [f"{one.loop}: {one.words}" for one in breaker.act(world.engine, world.clock)]


def is_paused(world: World, loop: str) -> bool:
    return reading(world.engine, lambda connection: controls.orders(connection, loop, "main")).paused


def test_one_complaint_of_five_hundred_pauses_nothing_and_is_told(world: World) -> None:
    ids = mailed(world, 500)

    assert comes_back(world, ids[:1], "complained") == []
    told = reading(world.engine, lambda connection: judgements(connection, world.now))
    assert {(one.loop, one.verdict) for one in told} == {("retention", "warn"), ("*", "warn")}
    assert told[0].words == "1 complaint (limit 0.08%) of 500 emails in 7 days"


def test_what_too_much_comes_back_of_is_paused_and_sends_nothing_more(world: World) -> None:
    ids = mailed(world, 100)

    paused = comes_back(world, ids[:2], "complained")

    assert paused == [
        "retention: 2 complaints (limit 0.08%) of 100 emails in 7 days",
        "*: 2 complaints (limit 0.08%) of 100 emails in 7 days",
    ]
    assert is_paused(world, "retention")
    world.days_pass(1)
    world.add(1_000)
    world.refresh()
    assert world.reserve(LIVE).counts == {"deferred:paused": 1}
    assert world.deliver(LIVE).stopped_because == ""


def test_complaints_about_transactional_mail_warn_and_pause_nothing_and_its_dead_addresses_pause(world: World) -> None:
    ids = mailed(world, 100, transactional=True)

    assert comes_back(world, ids[:10], "complained") == []
    told = reading(world.engine, lambda connection: judgements(connection, world.now))
    words = "10 complaints (limit 0.08%) of 100 emails in 7 days; those about transactional mail pause nothing"
    assert [(one.loop, one.verdict, one.words) for one in told] == [(one, "warn", words) for one in ("retention", "*")]
    assert len(comes_back(world, ids[10:19], "bounced")) == 2


def test_complaints_about_other_mail_are_not_forgiven_for_those_about_transactional_mail(world: World) -> None:
    asked_for = mailed(world, 100, "receipts", transactional=True)
    assert comes_back(world, asked_for[:10], "complained") == []
    others = mailed(world, 100)

    paused = comes_back(world, others[:2], "complained")

    assert paused == [
        "retention: 2 complaints (limit 0.08%) of 190 emails in 7 days",
        "*: 12 complaints (limit 0.08%) of 290 emails in 7 days",
    ]


def test_after_a_resume_complaints_about_transactional_mail_pause_nothing_either(world: World) -> None:
    transaction(world.engine, partial(controls.pause, loop="retention", now=world.now))
    for loop in ("retention", None):
        transaction(world.engine, partial(controls.resume, loop=loop, now=world.now))
    world.now += A_MINUTE
    ids = mailed(world, 100, transactional=True)

    assert comes_back(world, ids[:10], "complained") == []
    told = reading(world.engine, lambda connection: judgements(connection, world.now))
    assert {(one.loop, one.verdict) for one in told} == {("retention", "warn"), ("*", "warn")}


def test_a_step_whose_mail_is_not_transactional_any_more_is_paused_for_complaints(world: World) -> None:
    mailed(world, 100, transactional=True)
    world.days_pass(1)
    ids = mailed(world, 200)

    assert len(comes_back(world, ids[100:102], "complained")) == 2


def test_a_loop_that_is_well_goes_on_beside_one_that_is_not(world: World) -> None:
    mailed(world, 1_000, "well")
    mailed(world, 10, "bad")

    # 60 of 1,010, and of 2,010 together.
    paused = comes_back(world, sent(world, "bad")[:60], "bounced")

    assert [one.partition(":")[0] for one in paused] == ["bad"]
    assert not is_paused(world, "well")


def test_a_no_by_the_links_in_emails_count_by_the_email_that_they_came_from(world: World) -> None:
    ids = mailed(world, 100)

    def say(connection: Connection) -> None:
        for number, send_id in enumerate(ids[:6]):
            said = Said(world.now, "a test", None, send_id)
            preferences.say_no(connection, (f"1:{number}", f"u:{number}"), "marketing", said, world.now)

    transaction(world.engine, say)

    assert looked(world)[0] == 'retention: 6 "no"s by a link (limit 2.00%) of 100 emails in 7 days'
    with world.engine.connect() as connection:
        told = select(func.count()).where(own(receipts), receipts.c.unsubscribed_at == world.now)
        assert connection.execute(told).scalar_one() == 6


def test_what_came_back_before_a_resume_is_not_held_against_it(world: World) -> None:
    ids = mailed(world, 100)
    comes_back(world, ids[:2], "complained")
    world.now += A_MINUTE
    for loop in ("retention", None):
        transaction(world.engine, partial(controls.resume, loop=loop, now=world.now))

    assert looked(world) == []
    assert not is_paused(world, "retention")
    # What is mailed after it is judged by itself.
    world.days_pass(1)
    ids = mailed(world, 150)[100:]
    assert len(comes_back(world, ids[:2], "complained")) > 0


def test_what_is_older_than_a_week_counts_no_more(world: World) -> None:
    ids = mailed(world, 100)
    world.days_pass(8)

    assert comes_back(world, ids[:50], "complained") == []


def test_a_person_s_pause_stays_theirs(world: World) -> None:
    ids = mailed(world, 100)
    transaction(world.engine, partial(controls.pause, loop="retention", now=world.now))
    comes_back(world, ids[:2], "complained")

    orders = reading(world.engine, lambda connection: controls.orders(connection, "retention", "nothing"))
    assert orders.paused
    with world.engine.connect() as connection:
        assert controls.paused(connection)["retention"].since == world.now


def test_a_rehearsal_pauses_nothing(world: World) -> None:
    world.add(*range(1, 101))
    world.tick(OUTBOX)

    assert comes_back(world, sent(world), "complained") == []


@pytest.mark.parametrize(("number", "opens"), [(breaker.BLOCKS, True), (breaker.BLOCKS - 1, False)])
def test_a_broken_dmarc_record_suppresses_nobody_and_stops_everything(world: World, number: int, opens: bool) -> None:
    ids = mailed(world, 100)
    tell(world, [report(send_id, "bounced", world.now, "5.7.515") for send_id in ids[:number]])

    assert reading(world.engine, suppressions.is_empty)
    words = f"*: {DOMAIN} refused {number} emails because of us (5.7.515)"
    assert looked(world) == ([words] if opens else [])
    assert is_paused(world, "retention") is opens


def test_a_refusal_because_of_us_that_is_told_after_a_resume_counts_if_its_email_was_accepted_after_it(
    world: World,
) -> None:
    ids = mailed(world, 100)
    world.now += A_MINUTE
    transaction(world.engine, partial(controls.pause, loop=None, now=world.now))
    transaction(world.engine, partial(controls.resume, loop=None, now=world.now))
    world.now += A_MINUTE
    tell(world, [report(send_id, "bounced", world.now, "5.7.515") for send_id in ids[:50]])
    assert looked(world) == []

    world.now += A_MINUTE
    new = mailed(world, 200)[100:]
    tell(world, [report(send_id, "bounced", world.now, "5.7.515") for send_id in new[: breaker.BLOCKS]])
    assert len(looked(world)) == 1


def test_the_longest_name_of_a_domain_does_not_keep_the_breaker_shut(world: World) -> None:
    ids = mailed(world, 100)
    longest = ".".join(["a" * 63] * 4)[:253]
    reports = [replace(report(one, "bounced", world.now, "5.7.515"), domain=longest) for one in ids[: breaker.BLOCKS]]
    tell(world, reports)

    assert len(looked(world)) == 1
    assert is_paused(world, "retention")


def waves(world: World) -> list[tuple[object, int]]:
    query = select(batches.c.not_before, func.sum(batches.c.size)).where(own(batches)).group_by(batches.c.not_before)
    with world.engine.connect() as connection:
        rows = [(row[0], int(row[1])) for row in connection.execute(query)]
    return sorted(rows, key=lambda row: str(row[0] or ""))


def test_a_large_wave_of_a_new_loop_leaves_in_slices(world: World) -> None:
    limit(world, slices="on")
    world.add(*range(1, 2_601))
    world.refresh()
    world.reserve(LIVE, page=700)

    begins = world.now
    assert waves(world) == [(None, 500), (begins + APART, 1_000), (begins + 2 * APART, 1_100)]


@pytest.mark.parametrize(
    ("quiet", "send_at", "begin"),
    [
        # It is 09:00 by everybody's clock.
        (("08:00", "12:00"), "", ["02 12:00", "02 12:30", "02 13:00"]),
        (("09:30", "08:00"), "", ["None", "03 08:30", "03 09:00"]),
        (None, "10:00", ["02 10:00", "02 10:30", "02 11:00"]),
        (None, "09:00", ["None", "02 09:30", "02 10:00"]),
    ],
    ids=str,
)
def test_slices_stay_apart_whatever_the_hours_are(
    world: World, quiet: tuple[str, str] | None, send_at: str, begin: list[str]
) -> None:
    hours = quiet and QuietHours.model_validate({"from": quiet[0], "to": quiet[1]})
    limit(world, slices="on", quiet_hours=hours)
    line = f'      send_at: "{send_at}"\n' if send_at else ""
    world.plan = planned(world.root, world.settings, LOOP.replace("template: hello\n", f"template: hello\n{line}"))
    world.add(*range(1, 2_601))
    world.refresh()
    world.reserve(LIVE, page=700)

    found = {at.strftime("%d %H:%M") if isinstance(at, datetime) else "None": size for at, size in waves(world)}
    assert found == dict(zip(begin, (500, 1_000, 1_100), strict=True))


@pytest.mark.parametrize(
    ("users", "slices", "mode"), [(1_000, "on", LIVE), (1_001, "off", LIVE), (1_001, "on", OUTBOX)], ids=str
)
def test_other_waves_leave_at_once(world: World, users: int, slices: str, mode: object) -> None:
    limit(world, slices=slices)
    world.add(*range(1, users + 1))
    world.refresh()
    world.reserve(mode)  # type: ignore[arg-type]

    assert waves(world) == [(None, users)]


def test_a_loop_that_has_mailed_many_is_trusted(world: World) -> None:
    mailed(world, 1_000)
    limit(world, slices="on")
    world.days_pass(1)
    world.add(*range(1_001, 2_102))
    world.refresh()
    world.reserve(LIVE)

    assert waves(world) == [(None, 2_101)]


def test_a_first_wave_into_a_list_with_dead_addresses_stops_before_three_thousand(world: World) -> None:
    limit(world, slices="on")
    world.add(*range(1, 10_001))
    world.tick(LIVE)

    told: set[str] = set()

    def feedback() -> None:
        dead = [one for one in sent(world) if int(one, 16) % 10 < 3 and one not in told]
        told.update(dead)
        comes_back(world, dead, "bounced")

    # An hour and a half, a minute at a time, with all that comes back within a minute.
    for _ in range(95):
        feedback()
        world.now += A_MINUTE
        if is_wanted(world.engine, "live", world.clock, [world.plan]):
            reconcile(world.session(LIVE), [world.plan])

    assert FIRST <= len(world.provider.mailed) < 3_000
    assert is_paused(world, "retention")
