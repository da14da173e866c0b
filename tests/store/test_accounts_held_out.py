"""Where a loop is about accounts the coin is tossed for those: all of one get its emails, or nobody of it does."""

import hashlib
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from accounts_world import AccountsWorld, make_accounts, orders
from delivery_world import LIVE, MJML, TEXT
from loops_at_once import decide_at_once
from neighbours import own
from sqlalchemy import Engine, insert, select, update

from skene_dagster.delivery.rehearsal import Stage, rehearse
from skene_dagster.goals.arms import draw_anew, sizes
from skene_dagster.settings import Cap
from skene_dagster.store.engine import transaction
from skene_dagster.store.tables import arms, meta

SALT = bytes(32)
ACCOUNTS = [f"w{number}" for number in range(1, 21)]
HALF = ("type: retention\n", "type: retention\nholdout: 50%\n")
EVERYBODY = ("recipient: owner", "recipient: everybody")
MOST_ACTIVE = ("recipient: owner", "recipient: most_recently_active")
ROWS = "{type: database, table: orders, event: insert, account: workspace}"
EVERY_ENTRY = ("      template: hello\n", "      template: hello\n      repeat: every_entry\n")


def tossed(key: object, purpose: str = "holdout", name: str = "retention") -> float:
    parts = b"\x1f".join((SALT, purpose.encode(), name.encode(), str(key).encode()))
    return int.from_bytes(hashlib.sha256(parts).digest()[:8], "big") / 2**64


HELD_OUT = {key for key in ACCOUNTS if tossed(key) < 0.5}
MAILED = {*ACCOUNTS} - HELD_OUT


@pytest.fixture
def world(engine: Engine, tmp_path: Path) -> AccountsWorld:
    made = make_accounts(engine, tmp_path)
    with engine.begin() as connection:
        connection.execute(update(meta).where(meta.c.name == "coin").values(value=SALT.hex()))
    made.rewrite(HALF)
    return made


def people_of(key: str, size: int = 2) -> list[int]:
    first = 10 * int(key.removeprefix("w"))
    return [*range(first, first + size)]


def fill(world: AccountsWorld, size: int = 2) -> None:
    for key in ACCOUNTS:
        world.workspace(key, people_of(key, size))


def addresses(accounts: set[str], size: int = 1) -> list[str]:
    return sorted(f"u{user}@example.com" for key in accounts for user in people_of(key, size))


def compared(world: AccountsWorld, loop: str = "retention") -> dict[int, str]:
    """The users who are compared, and in which arm."""
    query = select(arms.c.user_id, arms.c.arm).where(own(arms), arms.c.loop == loop)
    with world.engine.connect() as connection:
        return {row.user_id: row.arm for row in connection.execute(query)}


def come_again(world: AccountsWorld, *accounts: str) -> None:
    """Let accounts leave and enter again, and decide about them."""
    for dormant in (False, True):
        for key in accounts:
            world.change_workspace(key, dormant=dormant)
        world.days_pass(1)
        world.tick(LIVE)


def test_nobody_of_an_account_that_the_coin_holds_out_is_mailed(world: AccountsWorld) -> None:
    fill(world)

    world.tick(LIVE)

    assert sorted(world.provider.mailed) == addresses(MAILED)
    assert world.decided() == {key: ["mailed" if key in MAILED else "held_out"] for key in ACCOUNTS}
    assert world.drawn() == {key: "mailed" if key in MAILED else "held_out" for key in ACCOUNTS}


def test_a_preview_foresees_which_accounts_are_held_out_and_draws_none(world: AccountsWorld) -> None:
    world.rewrite(HALF, EVERYBODY)
    fill(world)
    stage = Stage(world.engine, world.plan, world.step, world.settings, LIVE, world.now)

    foreseen = rehearse(stage, 3)

    assert foreseen.counts == {"mail": len(MAILED), "held_out": len(HELD_OUT)}
    assert {case.account_id for case in foreseen.sample} <= MAILED
    assert world.drawn() == {}


def test_all_of_an_account_are_in_its_arm(world: AccountsWorld) -> None:
    world.rewrite(HALF, EVERYBODY)
    fill(world)

    world.tick(LIVE)

    assert sorted(world.provider.mailed) == addresses(MAILED, 2)
    assert compared(world) == {
        user: "mailed" if key in MAILED else "held_out" for key in ACCOUNTS for user in people_of(key)
    }
    assert world.with_which() == {user: key for key in ACCOUNTS for user in people_of(key)}


def test_an_account_keeps_its_arm_whoever_owns_it_by_then(world: AccountsWorld) -> None:
    world.rewrite(HALF, EVERY_ENTRY)
    fill(world)
    world.tick(LIVE)
    before = (world.drawn(), compared(world))
    for key in ACCOUNTS:
        world.change_workspace(key, owner_id=people_of(key)[1])

    come_again(world, *ACCOUNTS)

    assert sorted(world.provider.mailed) == addresses(MAILED, 2)
    assert (world.drawn(), compared(world)) == before


@pytest.mark.parametrize(("repeat", "again"), [("once", "skipped:once"), ("7d", "deferred:repeat")])
def test_a_held_out_account_is_decided_as_seldom_as_one_that_is_mailed(
    world: AccountsWorld, repeat: str, again: str
) -> None:
    world.rewrite(HALF, (EVERY_ENTRY[0], f"{EVERY_ENTRY[0]}      repeat: {repeat}\n"))
    fill(world)
    world.tick(LIVE)

    come_again(world, *ACCOUNTS)

    assert world.decided() == {key: ["mailed" if key in MAILED else "held_out", again] for key in ACCOUNTS}


def test_another_share_holds_for_accounts_that_are_drawn_from_then_on(world: AccountsWorld) -> None:
    world.rewrite(HALF, EVERY_ENTRY)
    fill(world)
    world.tick(LIVE)
    world.rewrite((HALF[0], HALF[1].replace("50%", "0.001%")), EVERY_ENTRY)
    world.workspace("w99", [990])

    come_again(world, *ACCOUNTS, "w99")

    assert world.drawn() == {key: "held_out" if key in HELD_OUT else "mailed" for key in [*ACCOUNTS, "w99"]}
    counted = transaction(world.engine, lambda connection: sizes(connection, "live"))
    ours = [one for one in counted if one.comparison.loop == "retention"]
    assert [(one.share, one.mailed, one.held_out, one.of) for one in ours] == [
        (0.5, len(MAILED), len(HELD_OUT), "account"),
        (0.00001, 1, 0, "account"),
    ]


def test_drawn_anew_the_coin_falls_anew(world: AccountsWorld) -> None:
    world.rewrite(HALF, EVERY_ENTRY)
    fill(world)
    world.tick(LIVE)
    transaction(world.engine, lambda connection: draw_anew(connection, "retention"))

    come_again(world, *ACCOUNTS)

    again = {key for key in ACCOUNTS if tossed(key, name="retention\x1f2") < 0.5}
    found = {key: states[-1] for key, states in world.decided().items()}
    assert found == {key: "held_out" if key in again else "mailed" for key in ACCOUNTS}
    assert again != HELD_OUT


@pytest.mark.parametrize(("first", "second"), [(min(HELD_OUT), max(MAILED)), (min(MAILED), max(HELD_OUT))])
def test_somebody_is_compared_once_with_the_account_that_comes_first(
    world: AccountsWorld, first: str, second: str
) -> None:
    world.workspace(first, [1])
    world.workspace(second, [2], owner=1)

    world.tick(LIVE)
    waits = world.decided()
    world.days_pass(1)
    world.tick(LIVE)

    # Whichever arm the first is in, the other waits alike.
    assert waits[second] == ["deferred:other_account"]
    assert set(world.drawn()) == {first, second}
    assert world.with_which() == {1: first}


def test_who_comes_to_an_account_later_is_in_no_arm_and_gets_what_the_account_gets(world: AccountsWorld) -> None:
    world.rewrite(HALF, EVERYBODY, EVERY_ENTRY)
    held_out, mailed = min(HELD_OUT), min(MAILED)
    world.workspace(held_out, [1])
    world.workspace(mailed, [2, 3])
    world.tick(LIVE)
    world.change(3, workspace=held_out)

    come_again(world, held_out, mailed)

    assert sorted(world.provider.mailed) == ["u2@example.com", "u2@example.com", "u3@example.com"]
    # They stay in the arm in which they were: what was intended counts.
    assert compared(world) == {1: "held_out", 2: "mailed", 3: "mailed"}
    assert world.with_which() == {1: held_out, 2: mailed, 3: mailed}


def test_the_coin_is_tossed_last_an_account_that_waits_or_is_refused_is_in_no_arm(world: AccountsWorld) -> None:
    fill(world)
    world.change(*(people_of(key)[0] for key in ACCOUNTS), verified=False)
    world.tick(LIVE)
    before = world.drawn()
    world.change(*(people_of(key)[0] for key in ACCOUNTS), verified=True)
    world.days_pass(1)
    world.tick(LIVE)

    assert before == {}
    assert set(world.drawn()) == {*ACCOUNTS}


def test_where_the_most_recently_active_is_held_out_nobody_else_is_mailed_in_their_place(world: AccountsWorld) -> None:
    world.rewrite(HALF, MOST_ACTIVE)
    fill(world)
    world.were_active(*(people_of(key)[1] for key in ACCOUNTS))

    world.tick(LIVE)

    assert sorted(world.provider.mailed) == sorted(f"u{people_of(key)[1]}@example.com" for key in MAILED)
    assert set(compared(world)) == {people_of(key)[1] for key in ACCOUNTS}


def test_a_held_out_account_takes_no_place_under_a_cap(world: AccountsWorld) -> None:
    caps = {"caps": (Cap(count=1, within="7d"),)}  # type: ignore[arg-type]
    world.settings = replace(world.settings, limits=world.settings.limits.model_copy(update=caps))
    world.replan(HALF)
    fill(world)
    world.tick(LIVE)
    world.replan(("type: retention\n", "name: other\ntype: retention\n"))
    world.days_pass(1)
    world.tick(LIVE)

    assert sorted(world.provider.mailed) == addresses({*ACCOUNTS})


def test_who_is_held_out_of_all_loops_gets_nothing_about_an_account_and_others_of_it_do(world: AccountsWorld) -> None:
    world.settings = replace(world.settings, holdout=0.5)
    world.replan(HALF, EVERYBODY)
    fill(world, 4)
    users = [user for key in ACCOUNTS for user in people_of(key, 4)]
    of_none = {user for user in users if tossed(user, "global", "*") >= 0.5}
    mailed = {user for user in of_none if f"w{user // 10}" in MAILED}

    world.tick(LIVE)

    assert sorted(world.provider.mailed) == sorted(f"u{user}@example.com" for user in mailed)
    assert compared(world, "*") == {user: "mailed" if user in of_none else "held_out" for user in users}
    # Who is held out of all loops is in no loop's comparison; and an account of nobody else is in none.
    assert compared(world) == {user: "mailed" if user in mailed else "held_out" for user in of_none}
    assert set(world.drawn()) == {f"w{user // 10}" for user in of_none}


def test_an_owner_who_is_held_out_of_all_loops_holds_out_their_account(world: AccountsWorld) -> None:
    world.settings = replace(world.settings, holdout=0.5)
    world.replan()
    fill(world, 1)
    held_out = {key for key in ACCOUNTS if tossed(people_of(key)[0], "global", "*") < 0.5}

    world.tick(LIVE)

    assert sorted(world.provider.mailed) == addresses({*ACCOUNTS} - held_out)
    assert world.decided() == {key: ["held_out:global" if key in held_out else "mailed"] for key in ACCOUNTS}


def test_of_several_rows_about_an_account_the_first_draws_its_arm(world: AccountsWorld) -> None:
    world.rewrite(HALF, EVERY_ENTRY, ('{type: schedule, cron: "0 9 * * *"}', ROWS))
    held_out, mailed = min(HELD_OUT), min(MAILED)
    for key in (held_out, mailed):
        world.workspace(key, people_of(key))
    world.tick(LIVE)
    order(world, {1: held_out, 2: mailed, 3: held_out, 4: mailed})
    world.days_pass(1)

    world.tick(LIVE)

    assert world.provider.mailed == addresses({mailed}) * 2
    assert world.drawn() == {held_out: "held_out", mailed: "mailed"}
    assert set(compared(world)) == {people_of(key)[0] for key in (held_out, mailed)}


@pytest.mark.parametrize("database_url", ["mariadb", "tidb"], indirect=True)
def test_runs_that_decide_at_once_draw_each_account_once(world: AccountsWorld) -> None:
    fill(world)
    decide_at_once(world, [world.plan, world.plan])

    assert world.drawn() == {key: "mailed" if key in MAILED else "held_out" for key in ACCOUNTS}


def test_all_of_an_account_get_the_same_variant(world: AccountsWorld) -> None:
    for name in ("plain", "warm"):
        (world.root / "templates" / f"hello.{name}.mjml").write_text(MJML.replace("Hello", name), "utf-8")
        (world.root / "templates" / f"hello.{name}.txt").write_text(TEXT.replace("Hello", name), "utf-8")
    variants = "      template: hello\n", "      template: hello\n      variants: {plain: 50, warm: 50}\n"
    world.rewrite(EVERYBODY, variants)
    fill(world)

    world.tick(LIVE)

    plain = {user for key in ACCOUNTS if tossed(key, "variant") < 0.5 for user in people_of(key)}
    messages = [message for some in world.provider.accepted.values() for message in some]
    got = {int(one.to.partition("@")[0].removeprefix("u")): one.subject.partition(" ")[0] for one in messages}
    assert got == {user: "plain" if user in plain else "warm" for key in ACCOUNTS for user in people_of(key)}


PAID = (
    "type: retention\n",
    "type: retention\ngoal: {query: 'SELECT user_id, created_at AS at FROM orders', within: 7d}\n",
)


def test_nobody_is_mailed_about_an_account_who_reached_the_goal_since_it_entered(world: AccountsWorld) -> None:
    world.rewrite(PAID)
    world.workspace("w1", [10, 11])
    world.change(10, verified=False)
    world.tick(LIVE)
    bought(world, 10)
    world.change(10, verified=True)
    world.days_pass(1)

    world.tick(LIVE)

    assert world.decided() == {"w1": ["skipped:goal_reached"]}


def test_of_everybody_those_are_mailed_who_have_not_reached_it(world: AccountsWorld) -> None:
    world.rewrite(PAID, EVERYBODY)
    world.workspace("w1", [10, 11])
    world.change(10, 11, verified=False)
    world.tick(LIVE)
    bought(world, 10)
    world.change(10, 11, verified=True)
    world.days_pass(1)

    world.tick(LIVE)

    assert world.provider.mailed == ["u11@example.com"]
    assert world.sent_about() == [(10, "skipped"), (11, "accepted")]


def test_who_reached_it_since_it_was_decided_is_not_mailed_by_a_late_run(world: AccountsWorld) -> None:
    world.rewrite(PAID)
    world.workspace("w1", [10])
    world.refresh(LIVE)
    world.reserve(LIVE)
    bought(world, 10)
    world.days_pass(0.5)

    world.deliver(LIVE)

    assert world.sent_about() == [(10, "skipped")]
    assert world.provider.mailed == []


def bought(world: AccountsWorld, user: int) -> None:
    order(world, {user: None}, user=user)


def order(world: AccountsWorld, of: dict[int, str | None], user: int | None = None) -> None:
    """Let orders be made an hour from now."""
    at = world.now + timedelta(hours=1)
    rows = [
        {"id": number, "user_id": user, "workspace": workspace, "amount": 5, "created_at": at}
        for number, workspace in of.items()
    ]
    with world.engine.begin() as connection:
        connection.execute(insert(orders), rows)
