"""Conditions on what users do, in a loop about accounts: an account is where its furthest user is."""

import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from accounts_world import AccountsWorld, make_accounts
from delivery_world import LIVE, START
from sqlalchemy import Engine, insert

from skene_dagster.behaviour.accounts import standing
from skene_dagster.loops.plan import AtLevel
from skene_dagster.store.tables import OPEN, engagement_levels, events

QUERY = "{type: query, query: SELECT id FROM workspaces WHERE dormant = true}"
SETTINGS = """\
features: {export: {title: Export, events: [exported], adopted_uses: 2, adopted_days: 2, lapsed_after: 20d}}
milestones: {exported_once: {title: Exported, event: exported, count: 1, since: 2026-02-01}}
"""
DAY = timedelta(days=1)
AS_OF = START + 90 * DAY


@pytest.fixture
def world(engine: Engine, tmp_path: Path) -> AccountsWorld:
    world = make_accounts(engine, tmp_path)
    world.now = AS_OF
    return world


def use(world: AccountsWorld, condition: str) -> None:
    world.rewrite((QUERY, condition), settings=SETTINGS)


def happened(world: AccountsWorld, *days: tuple[int, int], name: str = "opened") -> None:
    """Users did something: user, and how many days ago."""
    rows: list[dict[str, object]] = [
        {
            "event_id": f"{name}-{user}-{ago}-{number}-{world.now:%j%H%M}",
            "user_id": user,
            "name": name,
            "occurred_at": world.now - ago * DAY - timedelta(minutes=1),
            "received_at": world.now,
        }
        for number, (user, ago) in enumerate(days)
    ]
    with world.engine.begin() as connection:
        connection.execute(insert(events), rows)


def inside(world: AccountsWorld) -> list[str]:
    """Count what users did, and list the workspaces that the condition selects."""
    world.count()
    world.refresh()
    return sorted(world.inside())


def test_a_workspace_is_dormant_when_nobody_of_it_is_further(world: AccountsWorld) -> None:
    use(world, "{type: level, is: dormant}")
    world.workspace("w1", [1, 2])
    world.workspace("w2", [3, 4])
    world.workspace("w3", [5])
    world.workspace("w4", [])
    happened(world, (1, 80), (1, 3), (2, 60), (3, 70), (4, 50))

    # Nobody of w3 ever did anything: they have no level.
    assert inside(world) == ["w2"]


def test_how_long_it_is_dormant_counts_from_when_the_last_one_became_so(world: AccountsWorld) -> None:
    use(world, "{type: level, is: dormant, for: 7d}")
    world.workspace("w1", [1, 2])
    # The second one is dormant since five days ago.
    happened(world, (1, 80), (2, 35))
    early = inside(world)
    world.days_pass(3)

    assert (early, inside(world)) == ([], ["w1"])


def test_how_long_it_is_active_counts_from_when_the_first_one_became_so_and_nobody_is_further(
    world: AccountsWorld,
) -> None:
    use(world, "{type: level, is: active, for: 7d}")
    world.workspace("w1", [1, 2])
    world.workspace("w2", [3, 4])
    often = [(4, ago) for ago in range(17, 31)]
    happened(world, *((user, ago) for user in (1, 3) for ago in (60, 50, 40, 30, 20, 10, 1)), (2, 50), (2, 3), *often)
    world.now -= 12 * DAY
    world.count()
    world.now += 12 * DAY

    # One of w2 was a power user until a few days ago.
    assert inside(world) == ["w1"]


def test_a_new_colleague_does_not_make_an_old_workspace_new(world: AccountsWorld) -> None:
    use(world, "{type: level, is: new}")
    world.workspace("w1", [1, 2])
    world.workspace("w2", [3, 4])
    happened(world, *((1, ago) for ago in range(60)), (2, 2), (3, 2), (4, 1))

    assert inside(world) == ["w2"]


def test_a_user_who_changes_their_workspace_counts_for_the_new_one(world: AccountsWorld) -> None:
    use(world, "{type: level, is: dormant}")
    world.workspace("w1", [1, 2])
    world.workspace("w2", [3])
    happened(world, (1, 60), (2, 1), (3, 60))
    before = inside(world)
    world.change(2, workspace="w2")
    world.days_pass(1)

    assert (before, inside(world)) == (["w2"], ["w1"])


def test_who_may_not_be_mailed_counts_as_well(world: AccountsWorld) -> None:
    use(world, "{type: level, is: dormant}")
    world.workspace("w1", [1, 2])
    happened(world, (1, 60), (2, 1))
    world.change(2, verified=False)

    assert inside(world) == []


def test_a_feature_is_untried_while_nobody_has_tried_it(world: AccountsWorld) -> None:
    use(world, "{type: feature, name: export, state: untried}")
    world.workspace("w1", [1, 2])
    world.workspace("w2", [3, 4])
    world.workspace("w3", [])
    happened(world, (3, 10), name="exported")

    assert inside(world) == ["w1"]


def test_how_long_it_is_untried_counts_from_the_first_one_s_sign_up(world: AccountsWorld) -> None:
    use(world, "{type: feature, name: export, state: untried, for: 7d}")
    world.workspace("w1", [1, 2])
    world.workspace("w2", [3])
    world.change(1, created_at=AS_OF - 8 * DAY)
    world.change(2, 3, created_at=AS_OF - 2 * DAY)
    happened(world, (3, 1))

    assert inside(world) == ["w1"]


@pytest.mark.parametrize(
    ("state", "selected"), [("adopted", ["w1"]), ("tried", ["w2"]), ("lapsed", ["w3"]), ("untried", ["w4"])]
)
def test_an_account_is_as_far_with_a_feature_as_its_furthest_user(
    world: AccountsWorld, state: str, selected: list[str]
) -> None:
    use(world, f"{{type: feature, name: export, state: {state}}}")
    for n in range(1, 5):
        world.workspace(f"w{n}", [10 * n, 10 * n + 1])
    adopted, lapsed = (10, 5), (10, 6)
    happened(world, adopted, lapsed, (11, 3), (20, 3), (21, 60), (21, 61), (30, 40), (30, 41), name="exported")

    assert inside(world) == selected


def test_what_the_email_shows_of_a_feature_is_of_all_its_users(world: AccountsWorld) -> None:
    use(world, "{type: feature, name: export, state: adopted}")
    titles = ("{{account.title}}", "{{row.uses}} since {{row.first_at}}")
    world.rewrite((QUERY, "{type: feature, name: export, state: adopted}"), titles, settings=SETTINGS)
    world.workspace("w1", [1, 2])
    happened(world, (1, 5), (1, 6), (2, 8), name="exported")
    world.count()

    world.tick()

    (subject,) = [message.subject for messages in world.provider.accepted.values() for message in messages]
    assert subject.startswith("Hello User 1 of 3 since 2026-05-23")


def test_a_milestone_is_reached_by_the_first_one_who_reaches_it(world: AccountsWorld) -> None:
    use(world, "{type: milestone, name: exported_once}")
    world.workspace("w1", [1, 2])
    world.workspace("w2", [3, 4])
    world.workspace("w3", [5])
    # Somebody of w2 reached it before it was celebrated.
    happened(world, (1, 5), (2, 3), (3, (AS_OF - datetime(2026, 1, 15)).days), (4, 2), name="exported")

    assert inside(world) == ["w1"]


def test_the_users_of_an_account_use_up_its_plan_together(world: AccountsWorld) -> None:
    use(world, "{type: usage, limit: {free: 5, pro: .inf}, period: 7d}")
    for number, plan in enumerate(("free", "free", "pro", None), start=1):
        world.workspace(f"w{number}", [10 * number, 10 * number + 1])
        world.change_workspace(f"w{number}", plan=plan)
    happened(world, *((user, ago) for user in (10, 30, 40) for ago in (0, 1, 2)), (11, 1), (11, 3), (20, 0), (20, 8))
    happened(world, *((31, ago) for ago in range(6)), *((41, ago) for ago in range(6)))

    assert inside(world) == ["w1"]


@pytest.mark.parametrize(
    ("condition", "event"),
    [
        pytest.param("{type: level, is: dormant}", "opened", id="a level"),
        pytest.param("{type: feature, name: export, state: untried}", "exported", id="a feature"),
    ],
)
def test_a_late_email_is_not_made_where_anybody_came_back(world: AccountsWorld, condition: str, event: str) -> None:
    use(world, condition)
    world.workspace("w1", [1, 2])
    world.workspace("w2", [3, 4])
    happened(world, (1, 60), (2, 70), (3, 60), (4, 61))
    world.count()
    world.refresh()
    world.reserve(LIVE)
    world.days_pass(0.1)
    # It is not the one who would be mailed.
    happened(world, (2, 0), name=event)

    world.deliver(LIVE)

    assert world.provider.mailed == ["u3@example.com"]
    assert world.decided() == {"w1": ["deferred:left_segment"], "w2": ["mailed"]}


def test_a_late_email_is_made_where_the_plan_is_still_used_up(world: AccountsWorld) -> None:
    use(world, "{type: usage, limit: {free: 3}, period: 7d}")
    world.workspace("w1", [1, 2])
    world.workspace("w2", [3, 4])
    for key in ("w1", "w2"):
        world.change_workspace(key, plan="free")
    happened(world, (1, 1), (1, 2), (2, 1), (3, 1), (4, 1), (4, 2))
    world.count()
    world.refresh()
    world.reserve(LIVE)
    world.change_workspace("w2", plan="pro")
    world.days_pass(0.1)

    world.deliver(LIVE)

    assert world.provider.mailed == ["u1@example.com"]


def test_the_levels_of_accounts_are_those_that_a_second_computation_finds(world: AccountsWorld) -> None:
    use(world, "{type: level, is: dormant}")
    draw, people, known = random.Random(7), 0, {}
    for number in range(12):
        size = draw.randrange(4)
        members = list(range(people + 1, people + size + 1))
        people += size
        world.workspace(f"w{number:02}", members)
        known[f"w{number:02}"] = {user: _history(draw) for user in members}
    rows = [
        {"user_id": user, "level": level, "entered_at": begins, "left_at": ends, "changes_at": OPEN}
        for users in known.values()
        for user, history in users.items()
        for level, begins, ends in history
    ]
    with world.engine.begin() as connection:
        connection.execute(insert(engagement_levels), rows)

    for level in standing.LEVELS:
        for for_ in (None, 5 * DAY, 20 * DAY):
            query = standing.at_level(AtLevel(level, for_), world.settings, AS_OF)
            with world.engine.connect() as connection:
                found = {key: since for key, _, since in connection.execute(query)}
            expected = {key: _since(users.values(), level) for key, users in known.items()}
            by_then = AS_OF - (for_ or timedelta(0))
            assert found == {key: since for key, since in expected.items() if since is not None and since <= by_then}


Stay = tuple[str, datetime, datetime]


def _history(draw: random.Random) -> list[Stay]:
    """Stays at levels, one after the other, the last of which is not over; or none."""
    moments = sorted(AS_OF - draw.randrange(1, 80) * DAY for _ in range(draw.randrange(4)))
    begins = list(dict.fromkeys(moments))
    ends = [*begins[1:], OPEN] if begins else []
    return [(draw.choice(standing.LEVELS), *stay) for stay in zip(begins, ends, strict=True)]


def _since(users: Any, level: str) -> datetime | None:
    """Say since when an account is at a level; None: it is not."""
    rank: dict[str, int] = {name: number for number, name in enumerate(standing.LEVELS)}
    stays: Sequence[Stay] = [stay for history in users for stay in history]
    now = [stay for stay in stays if stay[2] == OPEN]
    if not now or min(rank[stay[0]] for stay in now) != rank[level]:
        return None
    began = (max if level in ("slipping", "dormant") else min)(stay[1] for stay in now if stay[0] == level)
    return max([began, *(stay[2] for stay in stays if stay[2] != OPEN and rank[stay[0]] < rank[level])])
