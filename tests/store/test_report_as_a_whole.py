"""The whole report on each database: its numbers are those that are counted from the ledger's rows one by one."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from delivery_world import LIVE
from explained_world import LOOPS, Scene, everything_happens, make_scene
from sqlalchemy import Engine, Table, select

from skene_dagster.outcomes.windows import measure
from skene_dagster.project import load_project
from skene_dagster.report.numbers import Numbers, read
from skene_dagster.report.page import save
from skene_dagster.store.tables import OPEN, arms, deferred, segment_members, sends

BEGIN = datetime(2026, 11, 2, 9)
LIVE_ENVIRON = {"SKENE_ENV": "production", "RESEND_API_KEY": "re_test"}
PEOPLE = range(101, 141)
MEASURED = 'holdout: 50%\ngoal: {query: "SELECT id AS user_id, offers_at AS at FROM users", within: 3d}\n'


@pytest.fixture
def scene(engine: Engine, tmp_path: Path) -> Scene:
    """All happens to one user in three weeks; of forty others half are mailed, and every third takes an offer."""
    scene = make_scene(engine, tmp_path / "project", BEGIN, environ=LIVE_ENVIRON)
    (scene.root / "loops" / "win_back.yaml").write_text(LOOPS["win_back"] + MEASURED, "utf-8")
    scene.project = load_project(scene.settings)
    everything_happens(scene, 1)
    for user in PEOPLE:
        scene.add(user, dormant=1)
    scene.tick("win_back")
    # A third email in a week is one more than the cap allows.
    scene.change(drawn(scene)["mailed"][0], vip=1)
    scene.after(minutes=1)
    scene.tick("activation")
    scene.tick("vip")
    scene.after(days=1)
    scene.change(PEOPLE[0], dormant=0)
    scene.refresh("win_back")
    for user in PEOPLE[::3]:
        scene.change(user, offers_at=scene.now)
    scene.told(drawn(scene)["mailed"][0], "win_back", "delivered")
    scene.after(days=9)
    plan = scene.plan("win_back")
    measure(engine, plan=plan, goal=plan.goals[0], settings=scene.settings, mode=LIVE.name, as_of=scene.now)
    return scene


def rows(scene: Scene, table: Table) -> Sequence[Mapping[str, Any]]:
    with scene.engine.connect() as connection:
        return [dict(row) for row in connection.execute(select(table)).mappings()]


def drawn(scene: Scene) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {"mailed": [], "held_out": []}
    for row in rows(scene, arms):
        if row["loop"] == "win_back":
            found[row["arm"]].append(row["user_id"])
    return {arm: sorted(users) for arm, users in found.items()}


def numbers(scene: Scene, loop: str | None = None) -> Numbers:
    return read(scene.engine, scene.settings, scene.project, LIVE.name, lambda: scene.now, loop=loop)


def test_what_was_decided_and_what_came_of_it_are_as_the_rows_say(scene: Scene) -> None:
    found = numbers(scene)

    emails = {"accepted": "mailed", "reserved": "mailed", "in_doubt": "mailed"}
    decided = Counter(
        (row["loop"], emails.get(row["state"]) or row["reason"] or row["state"]) for row in rows(scene, sends)
    )
    steps = [(one.plan.name, step) for one in found.loops for step in one.steps]
    assert {(loop, said): n for loop, step in steps for said, n in step.decided.items()} == decided
    assert sum(found.emails.values()) == sum(n for (_, said), n in decided.items() if said == "mailed")
    waiting = Counter((row["loop"], row["reason"]) for row in rows(scene, deferred))
    assert {(loop, why): n for loop, step in steps for why, n in step.waiting.items()} == waiting
    assert waiting["vip", "cap"] == 1
    assert sum(step.came for _, step in steps) == len(rows(scene, segment_members))
    assert sum(step.left for _, step in steps) == sum(row["exited_at"] < OPEN for row in rows(scene, segment_members))
    (outcome,) = next(one for one in found.loops if one.plan.name == "win_back").outcomes
    arms_of, took = drawn(scene), set(PEOPLE[::3])
    assert [(arm.closed, arm.reached) for arm in (outcome.mailed, outcome.held_out)] == [
        (len(users), len(took & {*users})) for users in (arms_of["mailed"], arms_of["held_out"])
    ]
    assert sum(one.delivered for one in found.days.values()) == 3


def test_the_page_is_about_all_loops_or_about_one(scene: Scene, tmp_path: Path) -> None:
    pages = {}
    for loop in (None, "win_back"):
        file = tmp_path / f"{loop}.html"
        save(numbers(scene, loop), file, title="A report")
        pages[loop] = file.read_text("utf-8")

    assert [name for name in LOOPS if name not in pages[None]] == []
    assert [name for name in LOOPS if name in pages["win_back"]] == ["win_back"]
