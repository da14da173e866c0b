"""The budget of a day: all loops together plan no more emails for it, and each gets its share."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from types import MappingProxyType

import neighbours
import pytest
from delivery_world import LIVE, LOOP, OUTBOX, Script, World, make_world, planned
from loops_at_once import LOOPS, decide_at_once
from neighbours import own
from sqlalchemy import Connection, Engine, func, insert, select, update

from skene_dagster.delivery import controls, ledger
from skene_dagster.delivery.email.message import Message
from skene_dagster.delivery.ledger import StepScope
from skene_dagster.delivery.providers.base import Answer, Later, Refused
from skene_dagster.delivery.rehearsal import Stage, rehearse, rehearse_user
from skene_dagster.loops.plan import LoopPlan
from skene_dagster.settings import Cap, TopicSender, WarmUp
from skene_dagster.store.engine import reading, transaction
from skene_dagster.store.tables import batches, deferred, metadata, sends, user_activity

A_DAY = timedelta(days=1)
WARM_UP_FROM = date(2026, 3, 2)
NOTHING: Mapping[str, str] = MappingProxyType({})

PLAIN = """\
<mjml>
  <mj-head><mj-title>Hello {{ name }}</mj-title><mj-preview>As you asked</mj-preview></mj-head>
  <mj-body><mj-section><mj-column><mj-text>Hello {{ name }}</mj-text></mj-column></mj-section></mj-body>
</mjml>
"""


@pytest.fixture
def world(engine: Engine, tmp_path: Path) -> World:
    world = make_world(engine, tmp_path)
    # Segments of a few users change a lot.
    limited(world, None, least_change=500)
    return world


def limited(world: World, daily: int | None, **limits: object) -> None:
    changed = world.settings.limits.model_copy(update={"daily": daily, **limits})
    world.settings = replace(world.settings, limits=changed)


def warming(world: World, first_day: int, factor: float = 2.0) -> None:
    warm_up = WarmUp.model_validate({"from": WARM_UP_FROM, "first_day": first_day, "factor": factor})
    world.settings = replace(world.settings, sender=world.settings.sender.model_copy(update={"warm_up": warm_up}))


def loop(
    world: World, name: str, priority: int = 0, cron: str = "0 9 * * *", replaced: Mapping[str, str] = NOTHING
) -> LoopPlan:
    text = LOOP.replace("0 9 * * *", cron)
    for old, new in replaced.items():
        assert old in text
        text = text.replace(old, new)
    return planned(world.root, world.settings, f"name: {name}\npriority: {priority}\n{text}")


def asked_for(world: World, name: str, cron: str = "0 9 * * *") -> LoopPlan:
    for file, text in (("receipt.mjml", PLAIN), ("receipt.txt", "Hello {{ name }}")):
        (world.root / "templates" / file).write_text(text, encoding="utf-8")
    return loop(world, name, 0, cron, {"template: hello": "template: receipt\n      transactional: true"})


def tick(world: World, plan: LoopPlan, at: datetime | None = None, page: int = 5_000) -> dict[str, int]:
    """Decide a tick of a loop; return what."""
    world.plan, world.now = plan, at or world.now
    world.refresh()
    return world.reserve(LIVE, page=page).counts


def mailed(world: World, plan: LoopPlan) -> list[int]:
    """Whom a loop has mailed, or is to mail."""
    mine = (own(sends), sends.c.loop == plan.name, sends.c.state.in_(("reserved", "accepted")))
    with world.engine.connect() as connection:
        return list(connection.execute(select(sends.c.user_id).where(*mine).order_by(sends.c.user_id)).scalars())


def planned_for(world: World, mode: str = "live") -> dict[date, int]:
    """How many emails count for which day."""
    counted: Counter[date] = Counter()
    for one in reading(world.engine, lambda connection: ledger.planned_since(connection, mode, date(2026, 1, 1))):
        counted[one.day] += one.emails
    return dict(counted)


def waiting(world: World) -> list[tuple[int, str]]:
    query = select(deferred.c.user_id, deferred.c.reason).where(own(deferred)).order_by(deferred.c.user_id)
    with world.engine.connect() as connection:
        return [tuple(row) for row in connection.execute(query)]


def were_active(world: World, *user_ids: int) -> None:
    """Users were active, the first one last."""
    of_all = {"first_at": world.now - 99 * A_DAY, "days": 1, "uses": 1, "active_since": world.now - 99 * A_DAY}
    rows = [of_all | {"user_id": user_id, "last_at": world.now - (n + 1) * A_DAY} for n, user_id in enumerate(user_ids)]
    with world.engine.begin() as connection:
        connection.execute(insert(user_activity), rows)


def test_who_finds_no_room_waits_for_the_next_day(world: World) -> None:
    limited(world, 3)
    world.add(*range(1, 6))
    plan = loop(world, "one")

    assert tick(world, plan) == {"mail": 3, "deferred:budget": 2}
    assert waiting(world) == [(4, "budget"), (5, "budget")]
    world.now += A_DAY
    assert tick(world, plan) == {"mail": 2}
    assert planned_for(world) == {date(2026, 3, 2): 3, date(2026, 3, 3): 2}


def test_no_page_goes_beyond_what_those_before_it_have_left(world: World) -> None:
    limited(world, 5)
    world.add(*range(1, 11))

    assert tick(world, loop(world, "one"), page=2) == {"mail": 5, "deferred:budget": 5}
    assert planned_for(world) == {date(2026, 3, 2): 5}


def test_days_are_those_of_utc_and_room_is_found_on_a_later_tick_of_the_same_day(world: World) -> None:
    limited(world, 2)
    world.add(1, 2, 3)
    plan = loop(world, "one", cron="0 * * * *")
    tick(world, plan, datetime(2026, 3, 2, 22))

    assert tick(world, plan, datetime(2026, 3, 2, 23)) == {"deferred:budget": 1}
    limited(world, 3)
    assert tick(world, plan, datetime(2026, 3, 2, 23, 59)) == {"mail": 1}
    world.add(4)
    assert tick(world, plan, datetime(2026, 3, 3)) == {"mail": 1}


def test_a_budget_that_is_removed_lets_all_go(world: World) -> None:
    limited(world, 1)
    world.add(1, 2, 3)
    plan = loop(world, "one")
    tick(world, plan)
    limited(world, None)
    world.now += timedelta(hours=1)

    assert tick(world, plan) == {"mail": 2}


def test_the_most_recently_active_come_first_however_long_others_wait(world: World) -> None:
    limited(world, 2)
    world.add(1, 2, 3, 4, 5)
    were_active(world, 4, 2)
    plan = loop(world, "one")

    assert tick(world, plan, page=2) == {"mail": 2, "deferred:budget": 3}
    assert mailed(world, plan) == [2, 4]
    world.now += A_DAY
    world.add(6)
    were_active(world, 6)
    tick(world, plan)
    # Of the others nobody knows when they were active: the order of their keys, and of their waiting.
    assert mailed(world, plan) == [1, 2, 4, 6]


def test_who_left_while_they_waited_is_not_mailed(world: World) -> None:
    limited(world, 1)
    world.add(1, 2, 3)
    plan = loop(world, "one")
    tick(world, plan)
    world.change(2, dormant=False)
    world.now += A_DAY

    assert tick(world, plan) == {"mail": 1, "skipped:left_segment": 1}
    assert mailed(world, plan) == [1, 3]


def test_of_two_loops_the_first_to_come_leaves_the_other_its_share(world: World) -> None:
    limited(world, 6)
    world.add(*range(1, 11))
    early, late = loop(world, "early", cron="0 8 * * *"), loop(world, "late", priority=5, cron="0 9 * * *")
    world.others = [early, late]

    assert tick(world, early, datetime(2026, 3, 2, 8))["mail"] == 2
    assert tick(world, late, datetime(2026, 3, 2, 9))["mail"] == 4


def test_two_loops_of_one_minute_leave_each_other_their_share(world: World) -> None:
    limited(world, 6)
    world.add(*range(1, 11))
    one, other = loop(world, "one"), loop(world, "other")
    world.others = [one, other]

    assert tick(world, one, datetime(2026, 3, 2, 9, 0, 10))["mail"] == 3
    assert tick(world, other, datetime(2026, 3, 2, 9, 0, 20))["mail"] == 3


def test_what_a_loop_leaves_is_free_for_those_who_come_after_its_last_tick(world: World) -> None:
    limited(world, 6)
    early, late = loop(world, "early", priority=5, cron="0 8 * * *"), loop(world, "late", cron="0 9 * * *")
    world.others = [early, late]
    world.add(1)
    assert tick(world, early, datetime(2026, 3, 2, 8)) == {"mail": 1}
    world.add(*range(2, 11))

    assert tick(world, late, datetime(2026, 3, 2, 9))["mail"] == 5


@pytest.mark.parametrize("why", ["paused", "other_days", "manual", "late"])
def test_nothing_is_left_for_a_loop_that_will_mail_nobody_today(world: World, why: str) -> None:
    limited(world, 6)
    world.add(*range(1, 11))
    cron = {"other_days": "0 23 * * 6", "late": "0 7 * * *"}.get(why, "0 23 * * *")
    early, other = loop(world, "early", cron="0 8 * * *"), loop(world, "other", 5, cron)
    if why == "manual":
        other = loop(world, "other", 5, cron, {f'type: schedule, cron: "{cron}"': "type: manual"})
    if why == "paused":
        transaction(world.engine, lambda connection: controls.pause(connection, "other", world.now))
    world.others = [early, other]

    # Its run of seven o'clock is an hour late, and is not waited for any longer.
    assert tick(world, early, datetime(2026, 3, 2, 8))["mail"] == 6


@pytest.mark.parametrize(("is_let_through", "mailed"), [(False, 6), (True, 2)])
def test_nothing_is_left_for_a_loop_that_a_gate_holds_until_a_person_lets_it_pass(
    world: World, mailed: int, *, is_let_through: bool
) -> None:
    limited(world, 6)
    world.add(*range(1, 11), last_activity_at=datetime(2026, 2, 1))
    fresh = "fresh: [{table: users, column: last_activity_at, within: 1d}]"
    early, held = (
        loop(world, "early", cron="0 8 * * *"),
        loop(world, "held", 5, replaced={"type: retention": f"type: retention\n{fresh}"}),
    )
    world.others = [early, held]
    assert tick(world, held, datetime(2026, 3, 1, 9)) == {"deferred:fresh": 10}
    if is_let_through:
        scope = StepScope("live", "held", "main")
        transaction(world.engine, lambda connection: ledger.accept(connection, scope, ["fresh"]))

    assert tick(world, early, datetime(2026, 3, 2, 8))["mail"] == mailed


def test_a_loop_that_a_gate_held_gets_its_share_at_the_tick_at_which_it_passes(world: World) -> None:
    limited(world, 6)
    world.add(*range(1, 11), last_activity_at=datetime(2026, 2, 1))
    fresh = "fresh: [{table: users, column: last_activity_at, within: 1d}]"
    held, late = (
        loop(world, "held", 5, "0 8 * * *", {"type: retention": f"type: retention\n{fresh}"}),
        loop(world, "late"),
    )
    world.others = [held, late]
    tick(world, held, datetime(2026, 3, 1, 8))
    world.change(1, last_activity_at=datetime(2026, 3, 2))

    assert tick(world, held, datetime(2026, 3, 2, 8))["mail"] == 4
    assert tick(world, late, datetime(2026, 3, 2, 9))["mail"] == 2


def test_a_loop_that_mails_few_is_left_no_more_than_on_its_busiest_day(world: World) -> None:
    limited(world, 6)
    early, late = loop(world, "early", cron="0 8 * * *"), loop(world, "late", 5, cron="0 9 * * *")
    world.others = [early, late]
    world.add(1)
    tick(world, late, datetime(2026, 3, 2, 9))
    world.add(*range(2, 11))

    assert tick(world, early, datetime(2026, 3, 3, 8))["mail"] == 5
    assert tick(world, late, datetime(2026, 3, 3, 9))["mail"] == 1


def test_a_loop_whose_users_wait_is_left_what_they_need(world: World) -> None:
    limited(world, 6)
    early, late = loop(world, "early", cron="0 8 * * *"), loop(world, "late", 5, cron="0 9 * * *")
    world.add(*range(1, 9))
    tick(world, late, datetime(2026, 3, 2, 9))
    world.others = [early, late]

    # It has mailed six on its busiest day, and two wait: it gets its share, two thirds.
    assert tick(world, early, datetime(2026, 3, 3, 8))["mail"] == 2


def test_nobody_starves_beside_a_loop_that_could_use_it_all_each_day(world: World) -> None:
    limited(world, 3)
    greedy, modest = loop(world, "greedy", 5, cron="0 8 * * *"), loop(world, "modest", cron="0 9 * * *")
    world.others = [greedy, modest]
    world.add(*range(1, 21))
    for day in range(4):
        tick(world, greedy, datetime(2026, 3, 2 + day, 8))
        tick(world, modest, datetime(2026, 3, 2 + day, 9))

    assert (len(mailed(world, greedy)), len(mailed(world, modest))) == (8, 4)


def test_mail_that_was_asked_for_never_waits_and_counts(world: World) -> None:
    limited(world, 4)
    receipts, plan = asked_for(world, "receipts", cron="0 8 * * *"), loop(world, "one")
    world.add(1, 2, 3)
    assert tick(world, receipts, datetime(2026, 3, 2, 8)) == {"mail": 3}

    assert tick(world, plan, datetime(2026, 3, 2, 9)) == {"mail": 1, "deferred:budget": 2}
    world.add(4, 5)
    assert tick(world, receipts, datetime(2026, 3, 2, 10)) == {"mail": 2}
    assert planned_for(world) == {date(2026, 3, 2): 6}


def test_what_mail_that_was_asked_for_is_expected_to_need_is_kept_for_it(world: World) -> None:
    limited(world, 4)
    receipts, plan = asked_for(world, "receipts", cron="0 23 * * *"), loop(world, "one")
    world.others = [receipts, plan]
    world.add(1, 2, 3)
    tick(world, receipts, datetime(2026, 3, 2, 23))

    assert tick(world, plan, datetime(2026, 3, 3, 9)) == {"mail": 1, "deferred:budget": 2}


def test_a_cap_comes_before_the_budget_and_uses_none_of_it(world: World) -> None:
    limited(world, 3, caps=(Cap(count=1, within="7d"),))  # type: ignore[arg-type]
    world.add(1, 2)
    tick(world, loop(world, "one"))
    world.now += A_DAY
    world.add(3, 4, 5, 6)

    assert tick(world, loop(world, "other")) == {"mail": 3, "deferred:cap": 2, "deferred:budget": 1}


def test_an_email_counts_for_the_day_on_which_it_is_to_leave(world: World) -> None:
    limited(world, 2)
    world.add(1, 2, 3)
    at_eight = loop(world, "one", replaced={"template: hello": 'template: hello\n      send_at: "08:00"'})

    # At nine, eight o'clock is tomorrow's.
    assert tick(world, at_eight) == {"mail": 2, "deferred:budget": 1}
    assert planned_for(world) == {date(2026, 3, 3): 2}
    assert tick(world, loop(world, "other"))["mail"] == 2
    assert planned_for(world) == {date(2026, 3, 2): 2, date(2026, 3, 3): 2}


def test_what_is_not_sent_makes_room(world: World) -> None:
    limited(world, 2)
    world.add(1, 2, 3)
    one, other = loop(world, "one", cron="0 8 * * *"), loop(world, "other", cron="0 9 * * *")
    tick(world, one, datetime(2026, 3, 2, 8))
    assert tick(world, other, datetime(2026, 3, 2, 9)) == {"deferred:budget": 3}

    transaction(world.engine, lambda connection: controls.cancel(connection, "one", world.now))
    world.plan = one
    world.deliver(LIVE)

    assert planned_for(world) == {}
    assert tick(world, other, datetime(2026, 3, 2, 10)) == {"mail": 2, "deferred:budget": 1}


def test_users_whose_email_cannot_be_made_keep_nobody_else_from_theirs(world: World) -> None:
    limited(world, 2)
    world.add(1, 2, name=None)
    world.add(3, 4, 5)
    were_active(world, 1, 2)
    plan = loop(world, "one")
    for hour in (9, 10, 11):
        tick(world, plan, datetime(2026, 3, 2, hour))
        if hour == 9:
            assert mailed(world, plan) == [1, 2]
        world.deliver(LIVE)

    assert planned_for(world) == {date(2026, 3, 2): 2}
    assert world.states() == {
        **dict.fromkeys((1, 2), "deferred:missing_value"),
        **dict.fromkeys((3, 4), "accepted"),
        5: "deferred:budget",
    }
    world.change(1, 2, name="Ada")
    world.now += A_DAY
    assert tick(world, plan) == {"mail": 2}
    assert mailed(world, plan) == [1, 3, 4, 5]


def test_an_email_that_is_cut_out_or_reissued_counts_once_and_for_its_day(world: World) -> None:
    def refuse(_provider: Script, _messages: Sequence[Message], _key: str) -> Answer:
        return Refused("bad address", 0)

    def parked(_provider: Script, _messages: Sequence[Message], _key: str) -> Answer:
        return Later(9 * 3600, "the quota of today is used up")

    limited(world, 5)
    world.add(1, 2, 3)
    plan = loop(world, "one")
    tick(world, plan)
    world.provider.answers += [refuse, parked]
    world.deliver(LIVE)
    world.now += 20 * timedelta(hours=1)
    world.deliver(LIVE)

    assert world.provider.mailed == ["u2@example.com", "u3@example.com"]
    assert planned_for(world) == {date(2026, 3, 2): 2}


def test_twenty_loops_at_once_plan_exactly_the_budget(world: World) -> None:
    limited(world, 50)
    world.add(*range(1, 31))
    plans = [loop(world, f"loop_{number:02}", priority=number % 3) for number in range(LOOPS)]
    counts = [one.counts for one in decide_at_once(world, plans, plans)]

    assert sum((Counter(one) for one in counts), Counter[str]()) == {"mail": 50, "deferred:budget": 30 * LOOPS - 50}
    assert planned_for(world) == {date(2026, 3, 2): 50}
    # They have one, two and three parts of 39.
    assert all(one["mail"] >= 1 + number % 3 for number, one in enumerate(counts))


def test_modes_have_budgets_of_their_own(world: World) -> None:
    limited(world, 2)
    world.add(1, 2)
    world.plan = loop(world, "one")
    world.tick(OUTBOX)

    assert tick(world, world.plan) == {"mail": 2}
    assert planned_for(world, "outbox") == {date(2026, 3, 2): 2}


def test_in_simulated_time_days_are_those_of_ticks(world: World) -> None:
    limited(world, 2)
    world.add(1, 2, 3, 4)
    world.plan = loop(world, "one")
    begins, decided = world.now, []
    for n, day in enumerate((-40, -39, -38)):
        world.now = as_of = begins + day * A_DAY
        world.refresh()
        # All of it is done within minutes, of now.
        world.now = begins + timedelta(minutes=n)
        decided.append(world.reserve(OUTBOX, as_of).counts)

    assert decided == [{"mail": 2, "deferred:budget": 2}, {"mail": 2}, {}]


@pytest.mark.parametrize("page", [2, 5_000])
def test_a_preview_tells_what_a_run_decides(world: World, page: int) -> None:
    limited(world, 4)
    early, late = loop(world, "early", cron="0 8 * * *"), loop(world, "late", 5, cron="0 9 * * *")
    world.others = [early, late]
    world.add(*range(1, 8))
    world.change(6, 7, email="shared@example.com")
    were_active(world, 7, 6, 3)
    told, done, shown = [], [], set()
    for day in range(3):
        for plan, hour in ((early, 8), (late, 9)):
            world.now = datetime(2026, 3, 2 + day, hour)
            stage = Stage(world.engine, plan, plan.steps[0], world.settings, LIVE, world.now, world.others)
            before, seen = set(mailed(world, plan)), rehearse(stage, 9)
            # Who was decided before is no part of what a run tells.
            told.append({name: n for name, n in seen.counts.items() if name != "decided_before"})
            done.append(tick(world, plan, page=page))
            shown.add(
                {case.user_id for case in seen.sample} == set(mailed(world, plan)) - before,
            )

    assert told == done
    assert shown == {True}


def test_a_preview_of_one_user_knows_whether_a_day_is_full(world: World) -> None:
    limited(world, 1)
    plan = loop(world, "one")
    world.add(1, 2)
    tick(world, plan)
    stage = Stage(world.engine, plan, plan.steps[0], world.settings, LIVE, world.now + timedelta(hours=1))

    _, case = rehearse_user(stage, "2")

    assert case is not None
    assert getattr(case.decision, "reason", None) == "budget"  # type: ignore[union-attr]


def test_a_warm_up_grows_each_day_and_bounds_the_emails_of_its_domain(world: World) -> None:
    warming(world, 2)
    world.add(*range(1, 21))
    plan = loop(world, "one")

    assert [tick(world, plan, datetime(2026, 3, day, 9))["mail"] for day in (2, 3, 4)] == [2, 4, 8]


def test_of_a_warm_up_and_a_daily_budget_the_smaller_one_holds(world: World) -> None:
    warming(world, 2)
    limited(world, 5)
    world.add(*range(1, 21))
    plan = loop(world, "one")

    assert [tick(world, plan, datetime(2026, 3, day, 9))["mail"] for day in (2, 3, 4)] == [2, 4, 5]


def test_another_domain_is_not_warmed_up(world: World) -> None:
    warming(world, 1)
    world.add(1, 2, 3)
    tick(world, loop(world, "one"))
    world.settings = replace(
        world.settings,
        sender=world.settings.sender.model_copy(update={"from_": "News <news@news.example.com>", "warm_up": None}),
    )

    assert tick(world, loop(world, "other")) == {"mail": 3}


def test_a_step_that_names_its_sender_warms_up_the_domain_of_that_one(world: World) -> None:
    warm_up = {"from": WARM_UP_FROM, "first_day": 1}
    new = TopicSender.model_validate({"from": "Ada <ada@new.example.com>", "warm_up": warm_up})
    world.settings = replace(world.settings, senders={"new": new})
    world.add(1, 2, 3)
    named = loop(world, "named", replaced={"template: hello": "template: hello\n      sender: new"})

    assert tick(world, named) == {"mail": 1, "deferred:budget": 2}
    assert tick(world, loop(world, "plain")) == {"mail": 3}


def test_a_warm_up_is_over_once_two_days_with_email_have_made_nobody_wait(world: World) -> None:
    warming(world, 2)
    plan = loop(world, "one")
    world.add(1, 2, 3)
    assert tick(world, plan, datetime(2026, 3, 2, 9)) == {"mail": 2, "deferred:budget": 1}
    assert tick(world, plan, datetime(2026, 3, 3, 9)) == {"mail": 1}
    # A day without email says nothing, and a single one with some is not enough.
    assert tick(world, plan, datetime(2026, 3, 4, 9)) == {}
    warming(world, 2, 1.01)
    world.add(*range(4, 8))
    assert tick(world, plan, datetime(2026, 3, 5, 9)) == {"mail": 2, "deferred:budget": 2}
    assert tick(world, plan, datetime(2026, 3, 6, 9)) == {"mail": 2}
    world.add(8)
    assert tick(world, plan, datetime(2026, 3, 7, 9)) == {"mail": 1}
    world.add(*range(9, 19))

    assert tick(world, plan, datetime(2026, 3, 8, 9)) == {"mail": 10}
    # And it stays so.
    world.add(*range(19, 29))
    assert tick(world, plan, datetime(2026, 3, 9, 9)) == {"mail": 10}


def test_a_warm_up_that_never_was_too_small_is_not_over(world: World) -> None:
    warming(world, 3, 1.01)
    plan = loop(world, "one")
    for day in (2, 3, 4):
        world.add(day)
        assert tick(world, plan, datetime(2026, 3, day, 9)) == {"mail": 1}
    world.add(*range(5, 15))

    assert tick(world, plan, datetime(2026, 3, 5, 9)) == {"mail": 3, "deferred:budget": 7}


def test_a_warm_up_that_begins_anew_forgets_that_an_earlier_one_is_over(world: World) -> None:
    warming(world, 1, 1.01)
    plan = loop(world, "one")
    world.add(1, 2, 3)
    for day in (2, 3, 4):
        tick(world, plan, datetime(2026, 3, day, 9))
    world.add(*range(4, 9))
    later = WarmUp.model_validate({"from": date(2026, 3, 10), "first_day": 2, "factor": 1.5})
    world.settings = replace(world.settings, sender=world.settings.sender.model_copy(update={"warm_up": later}))

    assert tick(world, plan, datetime(2026, 3, 10, 9)) == {"mail": 2, "deferred:budget": 3}


def test_an_upgrade_counts_what_it_planned_itself(world: World) -> None:
    limited(world, 2)
    world.add(1, 2, 3)
    plan = loop(world, "one")
    tick(world, plan)
    # So an older release left them.
    with world.engine.begin() as connection:
        connection.execute(update(batches).where(own(batches)).values(planned_on=None, from_domain=None))

    assert tick(world, plan, world.now + timedelta(hours=1)) == {"mail": 1}
    with world.engine.connect() as connection:
        left = connection.execute(select(func.count()).where(own(batches), batches.c.planned_on.is_not(None)))
        assert left.scalar_one() == 1


def test_a_first_wave_is_as_large_as_it_is_however_few_leave_on_a_day(world: World) -> None:
    limited(world, 1, first_wave=2)
    world.add(1, 2, 3)
    plan = loop(world, "one")

    assert tick(world, plan) == {"deferred:first_wave": 3}
    scope = StepScope("live", "one", "main")
    transaction(world.engine, lambda connection: controls.approve(connection, scope.loop, scope.step, world.now))
    assert tick(world, plan, world.now + timedelta(minutes=1)) == {"mail": 1, "deferred:budget": 2}


def test_those_who_wait_are_no_volume_of_a_tick_that_cannot_mail_them(world: World) -> None:
    limited(world, 2, volume=1.5, least_change=0, explosion=99.0)
    world.add(*range(1, 9))
    plan = loop(world, "one")
    assert tick(world, plan) == {"mail": 2, "deferred:budget": 6}
    world.now += A_DAY
    stage = Stage(world.engine, plan, plan.steps[0], world.settings, LIVE, world.now, [plan])

    # The largest tick had two emails, and six users are due.
    assert rehearse(stage, 1).held == {}
    assert tick(world, plan) == {"mail": 2, "deferred:budget": 4}
    limited(world, 5)
    world.now += A_DAY
    world.refresh()
    hold = world.reserve(LIVE).hold
    assert hold is not None
    assert hold.reason == "volume"


def test_a_preview_before_the_first_run_knows_of_the_other_loops(engine: Engine, tmp_path: Path) -> None:
    world = make_world(engine, tmp_path)
    limited(world, 6)
    early, late = loop(world, "early", cron="0 8 * * *"), loop(world, "late", 5)
    world.add(*range(1, 9))
    neighbours.forget()
    metadata.drop_all(engine)
    stage = Stage(engine, early, early.steps[0], world.settings, OUTBOX, datetime(2026, 3, 2, 8), [early, late])

    assert rehearse(stage, 1).counts == {"mail": 2, "deferred:budget": 6}


def test_a_page_of_which_nobody_may_be_mailed_uses_up_no_day(world: World) -> None:
    """Who waits for room may have got other mail, or left, since: those behind them are next, not another day's."""
    plan = loop(world, "one")
    limited(world, 1)
    world.add(1, 2, 3, 4, 5)
    were_active(world, 1, 2, 3, 4, 5)
    tick(world, plan)
    assert mailed(world, plan) == [1]
    world.change(2, dormant=False)
    world.change(3, dormant=False)

    counts = tick(world, plan, world.now + A_DAY, page=2)

    assert (mailed(world, plan), counts["mail"]) == ([1, 4], 1)


def test_users_who_cannot_be_mailed_make_no_warm_up_too_small(world: World) -> None:
    warming(world, 2, 1.01)
    plan = loop(world, "one")
    world.add(1, 2, 3)
    assert tick(world, plan, datetime(2026, 3, 2, 9)) == {"mail": 2, "deferred:budget": 1}
    for day in (3, 4):
        # They are more than the day has room for; the only one of them with an address is mailed.
        world.add(day * 10, day * 10 + 1, email="nobody")
        if day > 3:
            world.add(day)
        assert tick(world, plan, datetime(2026, 3, day, 9))["mail"] == 1
    world.add(*range(100, 110))

    assert tick(world, plan, datetime(2026, 3, 5, 9))["mail"] == 10


def test_whether_a_warm_up_is_over_is_read_from_few_batches_however_many_there_are(world: World) -> None:
    if not getattr(world.engine.dialect, "is_mariadb", False):
        pytest.skip("MariaDB counts the rows that it reads")
    days = [WARM_UP_FROM + A_DAY * n for n in range(1, 11)]
    made = {"mode": "live", "loop": "one", "step": "main", "state": "settled", "size": 1, "attempts": 1}
    moments = {"as_of": world.now, "reserved_at": world.now, "from_domain": "example.com"}
    rows = [
        made | moments | {"batch_id": f"{day.day:02}{n:030}", "planned_on": day} for day in days for n in range(100)
    ]
    with world.engine.begin() as connection:
        connection.execute(insert(batches), rows)
        ledger.warm_up_waits(connection, "live", "example.com", WARM_UP_FROM)
        before = rows_read(connection)
        is_over = ledger.warm_up_is_over(
            connection, "live", "example.com", since=WARM_UP_FROM, today=WARM_UP_FROM + 20 * A_DAY
        )
        number = rows_read(connection) - before

    assert is_over
    assert number < 20


def rows_read(connection: Connection) -> int:
    counted = connection.exec_driver_sql("SHOW SESSION STATUS LIKE 'Handler_read%%'")
    return sum(
        int(row[1]) for row in counted if row[0] in {"Handler_read_next", "Handler_read_prev", "Handler_read_key"}
    )
