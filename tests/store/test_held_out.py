"""A share of those who would be mailed gets nothing, drawn by a coin that is tossed last, and once for each."""

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest
from delivery_world import LIVE, LOOP, World, make_world, planned
from loops_at_once import decide_at_once
from neighbours import own
from sqlalchemy import Engine, insert, select, update

from skene_dagster.delivery import ledger
from skene_dagster.goals import arms as arms_of_users
from skene_dagster.segments.triggers import finding
from skene_dagster.settings import Cap
from skene_dagster.store.engine import transaction
from skene_dagster.store.tables import OPEN, arms, contacts, deferred, engagement_levels, meta, sends

SALT = bytes(32)
HALF = f"{LOOP}holdout: 50%\n"
EVERYBODY = range(1, 41)
EVERY_ENTRY = "      set: {reminded: true}\n", "      repeat: every_entry\n"


def tossed(key: int, name: str = "retention", purpose: str = "holdout") -> float:
    """What the design says of the coin, word for word."""
    text = b"\x1f".join((SALT, purpose.encode(), name.encode(), str(key).encode()))
    return int.from_bytes(hashlib.sha256(text).digest()[:8], "big") / 2**64


HELD_OUT = {key for key in EVERYBODY if tossed(key) < 0.5}
MAILED = {*EVERYBODY} - HELD_OUT


@pytest.fixture
def world(engine: Engine, tmp_path: Path) -> World:
    made = make_world(engine, tmp_path)
    made.settings = replace(made.settings, limits=made.settings.limits.model_copy(update={"least_change": 100}))
    with engine.begin() as connection:
        connection.execute(update(meta).where(meta.c.name == "coin").values(value=SALT.hex()))
    made.plan = planned(tmp_path, made.settings, HALF)
    return made


def write(world: World, loop: str) -> None:
    world.plan = planned(world.root, world.settings, loop)


def tick(world: World) -> dict[str, int]:
    world.refresh()
    counts = world.reserve(LIVE).counts
    world.deliver(LIVE)
    return counts


def come_again(world: World, *users: int) -> dict[str, int]:
    """Let users leave and enter again; return what is decided of them then."""
    world.change(*users, dormant=False)
    world.days_pass(1)
    tick(world)
    world.change(*users, dormant=True)
    world.days_pass(1)
    return tick(world)


def states(world: World) -> dict[str, set[int]]:
    found: dict[str, set[int]] = {}
    for user, state in world.states().items():
        found.setdefault(state, set()).add(user)
    return found


def drawn(world: World, loop: str = "retention") -> dict[int, str]:
    with world.engine.connect() as connection:
        rows = connection.execute(select(arms.c.user_id, arms.c.arm).where(own(arms), arms.c.loop == loop))
        return {row.user_id: row.arm for row in rows}


def test_a_share_of_those_who_would_be_mailed_is_held_out_as_the_coin_says(world: World) -> None:
    world.add(*EVERYBODY)

    assert tick(world) == {"mail": len(MAILED), "held_out": len(HELD_OUT)}
    assert states(world) == {"accepted": MAILED, "held_out": HELD_OUT}
    assert world.provider.mailed == sorted(f"u{user}@example.com" for user in MAILED)
    assert world.reminded() == MAILED
    assert drawn(world) == dict.fromkeys(MAILED, "mailed") | dict.fromkeys(HELD_OUT, "held_out")


def test_it_is_written_down_when_they_were_drawn_from_which_share_and_at_which_level(world: World) -> None:
    world.add(*EVERYBODY)
    at = {"entered_at": world.now, "changes_at": OPEN}
    with world.engine.begin() as connection:
        connection.execute(
            insert(engagement_levels),
            [
                {"user_id": 1, "left_at": OPEN, "level": "dormant", **at},
                {"user_id": 2, "left_at": world.now, "level": "power", **at},
            ],
        )
    tick(world)

    query = select(arms.c.enrolled_at, arms.c.share, arms.c.level).where(own(arms)).order_by(arms.c.user_id)
    with world.engine.connect() as connection:
        rows = connection.execute(query).all()
    assert {row[:2] for row in rows} == {(world.now, 0.5)}
    assert [row.level for row in rows] == ["dormant", *[None] * (len(EVERYBODY) - 1)]


def test_who_comes_back_is_in_the_arm_that_they_were_in(world: World) -> None:
    write(world, HALF.replace(*EVERY_ENTRY))
    world.add(*EVERYBODY)
    tick(world)

    assert come_again(world, *EVERYBODY) == {"mail": len(MAILED), "held_out": len(HELD_OUT)}
    assert len(world.provider.mailed) == 2 * len(MAILED)
    assert len(drawn(world)) == len(EVERYBODY)


@pytest.mark.parametrize(("repeat", "again"), [("once", "skipped:once"), ("7d", "deferred:repeat")])
def test_who_is_held_out_is_decided_as_seldom_as_who_is_mailed(world: World, repeat: str, again: str) -> None:
    write(world, HALF.replace("      set: {reminded: true}\n", f"      repeat: {repeat}\n"))
    world.add(*EVERYBODY)
    tick(world)

    assert come_again(world, *EVERYBODY) == {again: len(EVERYBODY)}


def test_another_share_holds_for_those_who_are_drawn_from_then_on(world: World) -> None:
    write(world, HALF.replace(*EVERY_ENTRY))
    world.add(*EVERYBODY)
    tick(world)
    write(world, HALF.replace(*EVERY_ENTRY).replace("50%", "0.001%"))
    world.add(*range(101, 121))
    world.days_pass(1)

    assert tick(world) == {"mail": 20}
    assert come_again(world, *EVERYBODY) == {"mail": len(MAILED), "held_out": len(HELD_OUT)}


def test_a_share_of_nothing_ends_it(world: World) -> None:
    write(world, HALF.replace(*EVERY_ENTRY))
    world.add(*EVERYBODY)
    tick(world)
    write(world, LOOP.replace(*EVERY_ENTRY))

    assert come_again(world, *EVERYBODY) == {"mail": len(EVERYBODY)}
    assert set(drawn(world).values()) == {"mailed", "held_out"}


def test_drawn_anew_the_coin_falls_anew(world: World) -> None:
    write(world, HALF.replace(*EVERY_ENTRY))
    world.add(*EVERYBODY)
    tick(world)
    assert transaction(world.engine, lambda connection: arms_of_users.draw_anew(connection, "retention")) == 2

    held_out = {key for key in EVERYBODY if tossed(key, "retention\x1f2") < 0.5}
    assert come_again(world, *EVERYBODY) == {"mail": 40 - len(held_out), "held_out": len(held_out)}
    assert held_out != HELD_OUT


def test_whoever_is_decided_after_arms_were_drawn_anew_is_in_the_new_draw_in_the_same_tick_too(world: World) -> None:
    world.add(*EVERYBODY)
    world.refresh()
    is_first = iter([True])

    def renew(_decided: int) -> None:
        if next(is_first, False):
            transaction(world.engine, lambda connection: arms_of_users.draw_anew(connection, "retention"))

    world.reserve(LIVE, page=10, progress=renew)

    with world.engine.connect() as connection:
        rows = connection.execute(select(arms.c.user_id, arms.c.draw, arms.c.arm).where(own(arms)))
        found = {user: (draw, arm) for user, draw, arm in rows}
    arm = {False: "mailed", True: "held_out"}
    assert found == {user: (1, arm[tossed(user) < 0.5]) for user in range(1, 11)} | {
        user: (2, arm[tossed(user, "retention\x1f2") < 0.5]) for user in range(11, 41)
    }


def test_the_coin_is_tossed_last_nobody_who_waits_or_is_refused_is_in_an_arm(world: World) -> None:
    caps = {"caps": (Cap(count=1, within="7d"),), "least_change": 100}  # type: ignore[arg-type]
    world.settings = replace(world.settings, limits=world.settings.limits.model_copy(update=caps))
    world.add(*EVERYBODY)
    world.change(1, 2, verified=False)
    write(world, f"name: other\n{LOOP}")
    tick(world)
    write(world, HALF)
    world.days_pass(1)

    assert tick(world) == {"deferred:cap": 38, "deferred:not_mailable": 2}
    assert drawn(world) == {}
    world.days_pass(6)
    tick(world)
    assert set(drawn(world)) == {*range(3, 41)}


def test_who_is_held_out_takes_no_place_under_a_cap_and_none_of_the_day(world: World) -> None:
    limits = {"caps": (Cap(count=1, within="7d"),), "least_change": 100, "daily": len(MAILED)}  # type: ignore[arg-type]
    world.settings = replace(world.settings, limits=world.settings.limits.model_copy(update=limits))
    world.add(*EVERYBODY)
    world.plan = planned(world.root, world.settings, HALF)

    counts = tick(world)

    assert counts["mail"] == len(MAILED)
    world.days_pass(1)
    write(world, f"name: other\n{LOOP}")
    waits = tick(world)
    assert waits["deferred:cap"] == len(MAILED)
    assert waits["mail"] + waits["deferred:budget"] == len(HELD_OUT)


def test_nobody_else_at_the_address_of_one_who_is_held_out_gets_that_email(world: World) -> None:
    held_out, others = min(HELD_OUT), sorted(MAILED)[-2:]
    world.add(held_out, *others, email="all@example.com")

    assert tick(world) == {"held_out": 1, "skipped:same_address": 2}
    assert world.provider.mailed == []


def test_at_one_address_pages_of_one_tick_know_of_each_other(world: World) -> None:
    world.add(*EVERYBODY, email="all@example.com")
    first = min(EVERYBODY)
    world.refresh()

    counts = world.reserve(LIVE, page=3).counts

    assert counts == {"held_out" if first in HELD_OUT else "mail": 1, "skipped:same_address": len(EVERYBODY) - 1}


def test_of_an_email_that_they_asked_for_nobody_is_held_out(world: World) -> None:
    write(world, HALF.replace("      template: hello\n", "      template: hello\n      transactional: true\n"))
    world.add(*EVERYBODY)

    assert tick(world) == {"mail": len(EVERYBODY)}
    assert drawn(world) == {}


FOLLOWED = HALF.replace("  - trigger", "  - name: first\n    trigger", 1).replace(
    "holdout",
    """  - name: second
    trigger: {type: after, step: first, wait: 1d}
    condition: {type: query, query: SELECT id FROM users WHERE dormant = true}
    action: {type: email, template: hello, personalization: {name: "{{user.name}}"}}
holdout""",
)


def look_for_followers(world: World) -> None:
    finding.refresh(
        world.engine,
        plan=world.plan,
        step=world.plan.steps[1],
        settings=world.settings,
        mode="live",
        as_of=world.now,
        clock=world.clock,
        run_id="run",
    )


def test_an_email_that_follows_another_goes_to_those_who_got_that(world: World) -> None:
    write(world, FOLLOWED)
    world.add(*EVERYBODY)
    tick(world)
    look_for_followers(world)
    world.days_pass(1.5)
    look_for_followers(world)
    world.step_number = 1

    assert world.reserve(LIVE).counts == {"mail": len(MAILED)}


def test_the_steps_of_a_loop_hold_out_the_same_users_even_at_once(world: World) -> None:
    another = HALF.replace("  - trigger", "  - name: one\n    trigger", 1)
    steps = another.partition("steps:\n")[2].partition("holdout")[0]
    write(world, another.replace("holdout", steps.replace("name: one", "name: two") + "holdout"))
    world.add(*EVERYBODY)
    tick(world)
    world.step_number = 1
    tick(world)

    assert {state for _, state in _by_user(world)} == {"accepted", "held_out"}
    assert len(set(_by_user(world))) == len(EVERYBODY)


def _by_user(world: World) -> list[tuple[int, str]]:
    with world.engine.connect() as connection:
        return [tuple(row) for row in connection.execute(select(sends.c.user_id, sends.c.state).where(own(sends)))]


def of_all(world: World, loop: str = LOOP) -> None:
    world.settings = replace(world.settings, holdout=0.5)
    write(world, loop)


def test_a_share_of_all_users_gets_nothing_of_any_loop(world: World) -> None:
    of_all(world)
    world.add(*EVERYBODY)
    held_out = {key for key in EVERYBODY if tossed(key, "*", "global") < 0.5}

    assert tick(world) == {"mail": 40 - len(held_out), "held_out:global": len(held_out)}
    of_all(world, f"name: other\n{LOOP}")
    world.change(*EVERYBODY, reminded=False)
    assert tick(world) == {"mail": 40 - len(held_out), "held_out:global": len(held_out)}
    assert {user for user, arm in drawn(world, "*").items() if arm == "held_out"} == held_out
    assert set(drawn(world)) == set(drawn(world, "other")) == {*EVERYBODY} - held_out


def test_who_is_held_out_of_all_loops_is_in_no_loop_s_arm(world: World) -> None:
    of_all(world, HALF)
    world.add(*EVERYBODY)
    of_none = {key for key in EVERYBODY if tossed(key, "*", "global") >= 0.5}

    tick(world)

    assert drawn(world) == {key: "held_out" if key in HELD_OUT else "mailed" for key in of_none}
    # Among all loops, whom a loop holds out counts as mailed: their own coin did not fall.
    assert drawn(world, "*") == {key: "mailed" if key in of_none else "held_out" for key in EVERYBODY}


def test_into_the_comparison_of_all_loops_a_user_comes_with_their_first_decision_of_any(world: World) -> None:
    of_all(world, HALF)
    world.add(*range(1, 21))
    first = world.now
    tick(world)
    of_all(world, f"name: other\n{LOOP}")
    world.add(*range(21, 41))
    world.change(*range(1, 21), reminded=False)
    world.days_pass(1)
    tick(world)

    query = select(arms.c.user_id, arms.c.enrolled_at).where(own(arms), arms.c.loop == "*")
    with world.engine.connect() as connection:
        enrolled = {row.user_id: row.enrolled_at for row in connection.execute(query)}
    assert enrolled == dict.fromkeys(range(1, 21), first) | dict.fromkeys(range(21, 41), world.now)


def test_a_run_that_is_repeated_draws_nobody_again(world: World) -> None:
    world.add(*EVERYBODY)
    world.refresh()
    world.reserve(LIVE, page=7)
    before = drawn(world)

    world.reserve(LIVE)
    world.deliver(LIVE)

    assert drawn(world) == before
    assert states(world) == {"accepted": MAILED, "held_out": HELD_OUT}


@pytest.mark.parametrize("database_url", ["mariadb", "tidb"], indirect=True)
def test_loops_that_decide_at_once_enrol_each_user_once(world: World) -> None:
    world.settings = replace(world.settings, holdout=0.5)
    world.add(*EVERYBODY)
    plans = [planned(world.root, world.settings, f"name: loop{n}\n{HALF}") for n in range(4)]

    decide_at_once(world, plans)

    of_none = {key for key in EVERYBODY if tossed(key, "*", "global") >= 0.5}
    assert set(drawn(world, "*")) == {*EVERYBODY}
    for n in range(4):
        assert set(drawn(world, f"loop{n}")) == of_none


def test_who_is_held_out_waits_no_more_for_what_they_waited_for(world: World) -> None:
    world.add(*EVERYBODY, email="")
    tick(world)
    for user in EVERYBODY:
        world.change(user, email=f"u{user}@example.com")
    world.days_pass(1)

    assert tick(world) == {"mail": len(MAILED), "held_out": len(HELD_OUT)}
    with world.engine.connect() as connection:
        assert connection.execute(select(deferred).where(own(deferred))).all() == []


def test_the_address_of_who_is_held_out_is_forgotten_as_that_of_others_is(world: World) -> None:
    world.add(*EVERYBODY)
    tick(world)
    later = world.now.replace(year=world.now.year + 1)

    with world.engine.begin() as connection:
        ledger.forget_contacts(connection, before=later, since=None, size=1000)
        assert connection.execute(select(contacts)).all() == []
