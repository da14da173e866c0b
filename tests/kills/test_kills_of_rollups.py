"""Rollups are killed wherever they assert their lease: what is counted in the end is what happened."""

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from resends import LocalResend, local_resend
from scene import PATIENCE, Scene, make_scene

pytestmark = pytest.mark.long

SETTINGS = """\
users: {name: name}
sender:
  from: Little Product <hello@example.com>
  postal_address: 1 Example Street, Example Town
  unsubscribe_url: https://example.com/unsubscribe/{{user.id}}
events: {table: happened, at: happened_at, user: user_id, name: name}
features:
  export: {title: Export, events: [exported], adopted_uses: 2, adopted_days: 2}
milestones:
  three: {title: Three exports, event: exported, count: 3}
"""
USERS, DAYS = 20, 30
FIRST = datetime(2026, 1, 5, 12)


@pytest.fixture
def resend(tmp_path: Path) -> Iterator[LocalResend]:
    with local_resend(tmp_path) as running:
        yield running


@pytest.fixture
def scene(database_url: str, tmp_path: Path, resend: LocalResend) -> Scene:
    scene = make_scene(tmp_path / "project", database_url, resend, seed=3)
    scene.job = "skene__usage"
    (scene.root / "skene.yaml").write_text(SETTINGS, encoding="utf-8")
    scene.execute(
        "CREATE TABLE happened (id INTEGER PRIMARY KEY NOT NULL, user_id BIGINT NOT NULL, name VARCHAR(64) NOT NULL, "
        "happened_at DATETIME NOT NULL)"
    )
    scene.add_users(USERS)
    # Each user exports something on every day whose number is a multiple of their own.
    rows = ", ".join(
        f"({user * 100 + day}, {user}, 'exported', '{FIRST + timedelta(days=day)}')"
        for user in range(1, USERS + 1)
        for day in range(0, DAYS, user)
    )
    scene.execute(f"INSERT INTO happened (id, user_id, name, happened_at) VALUES {rows}")
    return scene


def counted(scene: Scene) -> dict[str, list[tuple[object, ...]]]:
    """What is counted of whom, whenever it was."""
    queries = {
        "days": "SELECT user_id, day, event, uses FROM skene_user_days ORDER BY user_id, day, event",
        "activity": "SELECT user_id, days, uses FROM skene_user_activity ORDER BY user_id",
        "adoption": "SELECT user_id, feature, uses, days FROM skene_feature_adoption ORDER BY user_id",
        "milestones": "SELECT milestone, user_id, reached_on FROM skene_milestones ORDER BY user_id",
    }
    return {name: [tuple(map(str, row)) for row in scene.ask(query)] for name, query in queries.items()}


def expected() -> dict[str, list[tuple[object, ...]]]:
    on = {
        str(user): [str((FIRST + timedelta(days=day)).date()) for day in range(0, DAYS, user)]
        for user in range(1, USERS + 1)
    }
    return {
        "days": [(user, day, "exported", "1") for user, days in on.items() for day in days],
        "activity": [(user, str(len(days)), str(len(days))) for user, days in on.items()],
        "adoption": [(user, "export", str(len(days)), str(len(days))) for user, days in on.items()],
        "milestones": [("three", user, days[2]) for user, days in on.items() if len(days) >= 3],
    }


def until_nobody_is_at_it(scene: Scene) -> None:
    """Wait until the dead run's lease is over; the next one would wait for ten seconds."""
    until = "SELECT lease_until FROM skene_rollups WHERE lease_until IS NOT NULL"
    scene.until(lambda: all(str(moment) < str(now()) for (moment,) in scene.ask(until)))


def now() -> datetime:
    return datetime.now(timezone.utc).replace(tzinfo=None)


def test_a_rollup_that_dies_wherever_it_writes_counts_what_happened(scene: Scene) -> None:
    for nth in (1, 3, 5, 8):
        scene.kill_if_it_comes_to("refresh", "inside" if nth % 2 else "after", nth)
        until_nobody_is_at_it(scene)
    scene.die_at("refreshed", "inside", 1)
    until_nobody_is_at_it(scene)

    assert scene.start().wait(PATIENCE) == 0, scene.output()
    assert counted(scene) == expected()
    assert scene.kills >= 4
