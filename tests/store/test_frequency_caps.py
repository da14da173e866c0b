"""Frequency caps count what an address gets of all loops; and one address gets an email of a tick once."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from delivery_world import LIVE, LOOP, OUTBOX, Script, World, make_world, never_arrive, planned
from loops_at_once import LOOPS, decide_at_once
from neighbours import own
from sqlalchemy import Engine, select

from skene_dagster.delivery import controls, ledger
from skene_dagster.delivery.email.message import Message
from skene_dagster.delivery.email.templates import Templates
from skene_dagster.delivery.ledger import StepScope
from skene_dagster.delivery.providers.base import Answer, Later
from skene_dagster.delivery.rehearsal import Stage, rehearse
from skene_dagster.delivery.send.deliver import deliver
from skene_dagster.loops.plan import LoopPlan
from skene_dagster.settings import Cap
from skene_dagster.store.engine import transaction
from skene_dagster.store.tables import sends

A_DAY = timedelta(days=1)

PLAIN = """\
<mjml>
  <mj-head><mj-title>Hello {{ name }}</mj-title><mj-preview>As you asked</mj-preview></mj-head>
  <mj-body><mj-section><mj-column><mj-text>Hello {{ name }}</mj-text></mj-column></mj-section></mj-body>
</mjml>
"""


@pytest.fixture
def world(engine: Engine, tmp_path: Path) -> World:
    return make_world(engine, tmp_path)


def capped(world: World, count: int, days: int = 7) -> None:
    limits = world.settings.limits.model_copy(update={"caps": (Cap(count=count, within=f"{days}d"),)})  # type: ignore[arg-type]
    world.settings = replace(world.settings, limits=limits)


def loop(world: World, name: str) -> LoopPlan:
    return planned(world.root, world.settings, f"name: {name}\n{LOOP}")


def tick(world: World, plan: LoopPlan) -> str | None:
    """Do a tick of a loop; return what was decided last about user 1."""
    world.plan = plan
    world.tick(LIVE)
    with world.engine.connect() as connection:
        last = select(sends.c.state).where(own(sends), sends.c.loop == plan.name, sends.c.user_id == 1)
        state: str | None = connection.execute(last.order_by(sends.c.as_of.desc()).limit(1)).scalar()
    return state


def test_a_loop_waits_while_an_address_has_got_enough_of_others(world: World) -> None:
    capped(world, 1)
    one, other = loop(world, "one"), loop(world, "other")
    world.add(1)

    assert tick(world, one) == "accepted"
    world.days_pass(1)
    assert tick(world, other) is None
    world.days_pass(5.9)
    assert tick(world, other) is None
    world.days_pass(0.1)
    assert tick(world, other) == "accepted"
    assert world.provider.mailed == ["u1@example.com"] * 2


def test_in_simulated_time_caps_count_by_ticks(world: World) -> None:
    capped(world, 1)
    world.add(1)
    begins, decided = world.now, []
    for n, day in enumerate((-40, -33, -32, -26)):
        world.plan = loop(world, "last" if n > 1 else f"loop{n}")
        world.now = as_of = begins + day * A_DAY
        world.refresh()
        # All of it is done within minutes, of now.
        world.now = begins + timedelta(minutes=n)
        decided.append(world.reserve(OUTBOX, as_of).counts)
        world.deliver(OUTBOX)

    assert decided == [{"mail": 1}, {"mail": 1}, {"deferred:cap": 1}, {"mail": 1}]


def test_who_waits_for_a_cap_is_not_decided_at_each_tick(world: World) -> None:
    capped(world, 1)
    world.add(1)
    tick(world, loop(world, "one"))
    world.days_pass(1)
    world.plan = loop(world, "other")
    world.refresh()

    assert world.reserve(LIVE).counts == {"deferred:cap": 1}
    world.days_pass(1)
    world.refresh()
    assert world.reserve(LIVE).counts == {}


def test_what_was_not_sent_makes_room(world: World) -> None:
    capped(world, 1)
    one, other = loop(world, "one"), loop(world, "other")
    world.add(1)
    world.plan = one
    world.refresh()
    world.reserve(LIVE)

    assert tick(world, other) is None
    world.days_pass(1)
    with world.engine.begin() as connection:
        controls.cancel(connection, one.name, world.now)
    world.plan = one
    world.deliver(LIVE)

    assert tick(world, other) == "accepted"


def test_a_parked_email_counts_until_it_has_left(world: World) -> None:
    def parked(_provider: Script, _messages: Sequence[Message], _key: str) -> Answer:
        return Later(9 * 3600, "the quota of today is used up")

    capped(world, 1)
    one, other = loop(world, "one"), loop(world, "other")
    world.add(1)
    world.provider.answers.append(parked)
    assert tick(world, one) == "reserved"
    world.days_pass(0.4)
    assert tick(world, other) is None
    world.plan = one
    world.deliver(LIVE)

    # It counts from when it left, not from when it was decided.
    world.days_pass(6.9)
    assert tick(world, other) is None
    world.days_pass(0.1)
    assert tick(world, other) == "accepted"


def test_an_email_in_doubt_counts(world: World) -> None:
    capped(world, 1)
    one, other = loop(world, "one"), loop(world, "other")
    world.add(1)
    world.plan = one
    world.tick_without_answer(never_arrive)

    assert tick(world, other) is None


def test_mail_that_was_asked_for_neither_counts_nor_waits(world: World) -> None:
    capped(world, 1)
    for name, text in (("receipt.mjml", PLAIN), ("receipt.txt", "Hello {{ name }}")):
        (world.root / "templates" / name).write_text(text, encoding="utf-8")

    def asked_for(name: str) -> LoopPlan:
        text = LOOP.replace("template: hello", "template: receipt\n      transactional: true")
        return planned(world.root, world.settings, f"name: {name}\n{text}")

    world.add(1)

    assert tick(world, asked_for("one_receipt")) == "accepted"
    assert tick(world, loop(world, "one")) == "accepted"
    world.days_pass(1)
    assert tick(world, asked_for("another")) == "accepted"


def test_a_cap_that_is_raised_lets_go_at_the_next_tick(world: World) -> None:
    capped(world, 1)
    world.add(1)
    tick(world, loop(world, "one"))
    world.days_pass(1)
    assert tick(world, loop(world, "other")) is None
    capped(world, 2)
    world.days_pass(1)

    assert tick(world, loop(world, "other")) == "accepted"


def test_two_users_of_one_address_get_an_email_of_a_tick_once(world: World) -> None:
    world.add(1, 2, 3)
    world.change(1, 3, email="Shared@Example.com ")
    world.change(2, email="u2@example.com")
    world.refresh()

    counts = world.reserve(LIVE, page=2).counts
    world.deliver(LIVE)

    assert counts == {"mail": 2, "skipped:same_address": 1}
    assert world.states() == {1: "accepted", 2: "accepted", 3: "skipped:same_address"}


def test_who_shares_an_address_stays_skipped_if_the_other_one_is_not_mailed_until_a_person_asks(world: World) -> None:
    world.add(1)
    world.add(2, email="U1@example.com")
    world.refresh()
    world.reserve(LIVE)
    world.remove(1)
    world.deliver(LIVE)
    world.days_pass(1)
    world.tick(LIVE)
    assert world.states() == {1: "skipped:gone", 2: "skipped:same_address"}

    scope = StepScope("live", "retention", "main")
    transaction(world.engine, lambda connection: ledger.reconsider(connection, scope, by_row=False))
    world.days_pass(1)
    world.tick(LIVE)

    assert world.provider.mailed == ["U1@example.com"]


def test_a_preview_counts_one_address_once_as_a_run_does(world: World) -> None:
    capped(world, 1)
    world.add(1, 2, 3)
    world.change(1, 3, email="shared@example.com")
    tick(world, loop(world, "one"))
    world.days_pass(1)
    world.add(4, 5, 6)
    world.change(4, 5, email="another@example.com")
    plan = loop(world, "other")
    world.plan = plan

    stage = Stage(world.engine, plan, plan.steps[0], world.settings, LIVE, world.now)
    told = rehearse(stage, 5).counts
    world.refresh()

    assert told == world.reserve(LIVE).counts == {"deferred:cap": 3, "skipped:same_address": 1, "mail": 2}


def test_who_changed_their_address_since_is_decided_again(world: World) -> None:
    world.add(1)
    world.refresh()
    world.reserve(LIVE)
    world.change(1, email="new@example.com")
    world.deliver(LIVE)

    assert world.states() == {1: "deferred:new_address"}
    world.now += A_DAY
    world.tick(LIVE)
    assert world.provider.mailed == ["new@example.com"]


def test_twenty_loops_at_once_send_nobody_more_than_the_cap(world: World) -> None:
    capped(world, 2)
    world.add(*range(1, 41))
    plans = [loop(world, f"loop_{number:02}") for number in range(LOOPS)]
    counts = sum((Counter(one.counts) for one in decide_at_once(world, plans)), Counter[str]())
    for plan in plans:
        templates = Templates(world.settings.templates, world.root)
        deliver(world.session(LIVE), plan=plan, step=plan.steps[0], templates=templates)

    assert counts == {"mail": 80, "deferred:cap": 40 * (LOOPS - 2)}
    assert set(Counter(world.provider.mailed).values()) == {2}


def test_modes_do_not_count_for_each_other(world: World) -> None:
    capped(world, 1)
    world.add(1)
    world.plan = loop(world, "one")
    world.tick(OUTBOX)

    assert tick(world, loop(world, "other")) == "accepted"
